# daemon/capture
noinst_LTLIBRARIES += libcapture.la
libcapture_la_SOURCES = daemon/capture/capture.h daemon/capture/capture.c daemon/capture/ring.h
