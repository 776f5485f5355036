# unit tests of daemon/link
