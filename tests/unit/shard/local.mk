# unit tests of daemon/shard
