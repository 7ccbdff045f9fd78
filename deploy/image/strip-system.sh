#!/bin/sh
# Removes from the root of the image what only building needs: npm and its kin, headers, package lists, documentation.
# Licences (copyright files) and dpkg's database stay, which scanners read.
set -eu
rm -rf /usr/local/lib/node_modules /usr/local/include /usr/local/share /usr/local/bin/npm /usr/local/bin/npx \
  /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn* \
  /usr/local/bin/docker-entrypoint.sh /usr/local/*.md /usr/local/LICENSE
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* /tmp/* /root/.npm /root/.cache
rm -rf /usr/share/man /usr/share/locale /usr/share/info /usr/share/lintian /usr/share/bash-completion
find /usr/share/doc -type f ! -name copyright -delete
find /usr/share/doc -depth -type d -empty -delete
