# systemd: the unit, its user, its directories
systemdsystemunit_DATA = systemd/tapstackd.service
sysusers_DATA = systemd/tapstack.conf
tmpfiles_DATA = systemd/tmpfiles/tapstack.conf

systemd/tapstackd.service: systemd/tapstackd.service.in Makefile
	$(substitute_paths) $(srcdir)/systemd/tapstackd.service.in > $@
systemd/tapstack.conf: systemd/tapstack.sysusers.in Makefile
	$(substitute_paths) $(srcdir)/systemd/tapstack.sysusers.in > $@
systemd/tmpfiles/tapstack.conf: systemd/tapstack.tmpfiles.in Makefile
	$(substitute_paths) $(srcdir)/systemd/tapstack.tmpfiles.in > $@

CLEANFILES += $(systemdsystemunit_DATA) $(sysusers_DATA) $(tmpfiles_DATA)
EXTRA_DIST += systemd/tapstackd.service.in systemd/tapstack.sysusers.in systemd/tapstack.tmpfiles.in
