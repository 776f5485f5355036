# daemon/services
