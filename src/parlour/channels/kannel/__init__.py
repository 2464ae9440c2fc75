"""Kannel, a gateway to modems and SMSCs, over the HTTP interface of its smsbox."""
