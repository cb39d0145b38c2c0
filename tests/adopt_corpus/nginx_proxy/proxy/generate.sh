#!/bin/sh
# What docker-gen writes from nginx-proxy's template, with the addresses of the containers.
address() { getent hosts "$1" | awk '{ print $1 }'; }
cat >/etc/nginx/conf.d/default.conf <<END
# nginx-proxy version : 1.6.0
map \$http_x_forwarded_proto \$proxy_x_forwarded_proto {
    default \$http_x_forwarded_proto;
    '' \$scheme;
}
map \$http_x_forwarded_host \$proxy_x_forwarded_host {
    default \$http_x_forwarded_host;
    '' \$host;
}
map \$http_x_forwarded_port \$proxy_x_forwarded_port {
    default \$http_x_forwarded_port;
    '' \$server_port;
}
map \$http_upgrade \$proxy_connection {
    default upgrade;
    '' close;
}
map \$proxy_x_forwarded_proto \$proxy_x_forwarded_ssl {
    default off;
    https on;
}
gzip_types text/plain text/css application/javascript application/json;
log_format vhost escape=default '\$host \$remote_addr';
access_log off;
proxy_http_version 1.1;
proxy_set_header Host \$host;
proxy_set_header Upgrade \$http_upgrade;
proxy_set_header Connection \$proxy_connection;
proxy_set_header X-Real-IP \$remote_addr;
proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Host \$proxy_x_forwarded_host;
proxy_set_header X-Forwarded-Proto \$proxy_x_forwarded_proto;
proxy_set_header X-Forwarded-Ssl \$proxy_x_forwarded_ssl;
proxy_set_header X-Forwarded-Port \$proxy_x_forwarded_port;
proxy_set_header X-Original-URI \$request_uri;
proxy_set_header Proxy "";
server {
    server_name _;
    server_tokens off;
    access_log /var/log/nginx/access.log vhost;
    http2 on;
    listen 80;
    listen 443 ssl;
    ssl_session_cache shared:SSL:50m;
    ssl_session_tickets off;
    ssl_reject_handshake on;
    location / {
        return 503;
    }
}
# shop.example.com/
upstream shop.example.com {
    # Container: shop
    server $(address shop):8000;
    keepalive 2;
}
# shop.example.com/files/
upstream shop.example.com-5a1c {
    # Container: files
    server $(address files):8000;
    keepalive 2;
}
server {
    server_name shop.example.com www.shop.example.com;
    access_log /var/log/nginx/access.log vhost;
    listen 80;
    location ^~ /.well-known/acme-challenge/ {
        auth_basic off;
        allow all;
        root /usr/share/nginx/html;
        try_files \$uri =404;
        break;
    }
    location / {
        return 301 https://\$host\$request_uri;
    }
}
server {
    server_name shop.example.com www.shop.example.com;
    access_log /var/log/nginx/access.log vhost;
    http2 on;
    listen 443 ssl;
    ssl_session_timeout 5m;
    ssl_session_cache shared:SSL:50m;
    ssl_session_tickets off;
    ssl_certificate /etc/nginx/certs/shop.example.com.crt;
    ssl_certificate_key /etc/nginx/certs/shop.example.com.key;
    set \$sts_header "";
    if (\$https) {
        set \$sts_header "max-age=31536000";
    }
    add_header Strict-Transport-Security \$sts_header always;
    include /etc/nginx/vhost.d/shop.example.com;
    include /etc/nginx/vhost.d/default;
    location / {
        proxy_pass http://shop.example.com;
        set \$upstream_keepalive true;
    }
    location /files/ {
        proxy_pass http://shop.example.com-5a1c/;
        set \$upstream_keepalive true;
    }
}
# api.example.com/
upstream api.example.com {
    server $(address api):8000;
}
server {
    server_name api.example.com;
    access_log /var/log/nginx/access.log vhost;
    listen 80;
    include /etc/nginx/vhost.d/default;
    location / {
        proxy_pass http://api.example.com;
        set \$upstream_keepalive false;
    }
}
END
