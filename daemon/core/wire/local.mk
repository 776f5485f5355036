# sources and tests of daemon/core/wire
