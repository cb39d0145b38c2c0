#!/bin/sh
for file in /etc/nginx/user_conf.d/*.conf; do ln -sf "$file" /etc/nginx/conf.d/; done
