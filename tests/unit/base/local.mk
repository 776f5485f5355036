# unit tests of daemon/core/base
