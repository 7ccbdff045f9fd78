#!/bin/sh
# Removes from /opt/knockgate what running does not need: types, maps, documentation, sources and objects of the addons.
set -eu
cd /opt/knockgate
rm -f .npmrc package-lock.json
find node_modules -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.md' -o -name '*.cc' \
  -o -name '*.hh' -o -name '*.h' -o -name '*.c' \) -delete
find node_modules -depth -type d \( -name test -o -name tests -o -name spec -o -name docs -o -name example -o -name examples \
  -o -name benchmark -o -name benchmarks -o -name .github \) -exec rm -rf {} +
find node_modules/pcap/build -type f ! -name pcap_binding.node -delete
rm -rf node_modules/koffi/vendor node_modules/nan node_modules/pcap/node_modules/nan
find node_modules -depth -type d -empty -delete
