# unit tests of daemon/audit
