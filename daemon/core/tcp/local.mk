# sources and tests of daemon/core/tcp
