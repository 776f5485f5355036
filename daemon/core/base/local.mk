# sources and tests of daemon/core/base
