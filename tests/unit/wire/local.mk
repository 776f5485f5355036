# unit tests of daemon/core/wire
