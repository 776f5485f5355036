# unit tests of daemon/config
