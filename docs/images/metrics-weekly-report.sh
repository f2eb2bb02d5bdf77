#!/usr/bin/env bash
# Takes docs/images/metrics-weekly-report.png from a running service with the demo's metrics. Needs chromium and jq.
#   npm start, and then: docs/images/metrics-weekly-report.sh [2026-W46]
set -euo pipefail
API=${API:-http://127.0.0.1:3000/api/v1}
WEEK=${1:-$(date -d 'last week' +%G-W%V)}
HERE=$(cd "$(dirname "$0")" && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

ME=$(curl -sf "$API/auth/login" -H 'Content-Type: application/json' \
  -d '{"email":"viewer@northside.example","password":"open-the-clinic"}' | jq -r .accessToken)
CLINIC=$(curl -sf "$API/clinics" -H "Authorization: Bearer $ME" | jq -r '.data[0].id')
curl -sf "$API/clinics/$CLINIC/reports/weekly/$WEEK?format=html" -H "Authorization: Bearer $ME" > "$WORK/report.html"

# The page asks for Roboto first; pdfmake brings it.
mkdir -p "$WORK/.fonts"
cp "$HERE"/../../node_modules/pdfmake/fonts/Roboto/*.ttf "$WORK/.fonts/"
HOME=$WORK chromium --headless=new --no-sandbox --hide-scrollbars --force-device-scale-factor=1.25 \
  --window-size="900,${HEIGHT:-2060}" --screenshot="$HERE/metrics-weekly-report.png" "file://$WORK/report.html" 2> /dev/null
