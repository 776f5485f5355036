# unit tests of daemon/control
