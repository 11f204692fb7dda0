#!/bin/sh
# `first-token.sh FILE`: make the token of a viewer named prometheus and keep it in FILE, unless it is there.
# The API listens for other machines only once there is a token; this one lets Prometheus read, and nobody change anything.
set -eu

file=$1
if [ -s "$file" ]; then
    exit 0
fi
# Its file was lost: nobody knows that one any more.
python /app/integrated_system.py tokens revoke prometheus >/dev/null 2>&1 || true
said=$(python /app/integrated_system.py tokens create --role viewer --name prometheus)
printf '%s\n' "$said" | head -n 1 >"$file.new"
mv "$file.new" "$file"
