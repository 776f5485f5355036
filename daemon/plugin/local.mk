# daemon/plugin
