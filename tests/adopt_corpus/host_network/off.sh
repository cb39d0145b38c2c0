#!/bin/sh
# The default server of the image would take port 80 of the whole host.
printf '' >/etc/nginx/conf.d/none.conf
[ -f /etc/nginx/templates/default.conf.template ]
