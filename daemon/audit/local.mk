# daemon/audit
