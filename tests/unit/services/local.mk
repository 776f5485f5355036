# unit tests of daemon/services
