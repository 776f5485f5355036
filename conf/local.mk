# conf: the configuration file as it is shipped, made from the table of keys
noinst_PROGRAMS += conf/template
conf_template_SOURCES = conf/template.c
conf_template_LDADD = libtapconfig.la libcore.la

all-local: conf/tapstack.yaml
conf/tapstack.yaml: conf/template$(EXEEXT)
	$(AM_V_GEN)conf/template$(EXEEXT) > $@.new && mv $@.new $@
CLEANFILES += conf/tapstack.yaml conf/tapstack.yaml.new

# A file that somebody may have edited is neither overwritten nor taken away.
install-data-local: conf/tapstack.yaml
	$(MKDIR_P) "$(DESTDIR)$(configdir)"
	test -e "$(DESTDIR)$(configdir)/tapstack.yaml" || \
		$(INSTALL_DATA) conf/tapstack.yaml "$(DESTDIR)$(configdir)/tapstack.yaml"
uninstall-hook: conf/tapstack.yaml
	cmp -s conf/tapstack.yaml "$(DESTDIR)$(configdir)/tapstack.yaml" && \
		rm -f "$(DESTDIR)$(configdir)/tapstack.yaml"; true

dist_doc_DATA = conf/tapstack.logrotate
