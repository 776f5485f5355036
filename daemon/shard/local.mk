# daemon/shard
