# unit tests of plugins
