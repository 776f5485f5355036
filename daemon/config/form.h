#pragma once
/* What texts in the configuration must look like. 0 or -EINVAL. */

int form_name(const char *text);      /* letters, digits and . _ - */
int form_interface(const char *text); /* a name that Linux takes for an interface */
int form_absolute(const char *text);  /* an absolute path */
int form_directory(const char *text); /* the same, or auto */
int form_backend(const char *text);   /* tap, unix:/path */
int form_target(const char *text);    /* unix:/path, tcp:HOST:PORT; an IPv6 host stands in [] */
int form_principal(const char *text); /* a user, or group:NAME */
