#!/bin/sh
# What the official entrypoint does before the command: templates with variables of the environment.
set -e
for template in /etc/nginx/templates/*.template; do
  [ -f "$template" ] || continue
  name=$(basename "$template" .template)
  perl -pe 's/\$\{(\w+)\}|\$([A-Z_]+)/$ENV{$1 || $2} \/\/ $&/ge' "$template" >"/etc/nginx/conf.d/$name"
done
for script in /docker-entrypoint.d/*.sh; do
  if [ -f "$script" ]; then sh "$script"; fi
done
exec "$@"
