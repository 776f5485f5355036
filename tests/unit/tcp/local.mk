# unit tests of daemon/core/tcp
