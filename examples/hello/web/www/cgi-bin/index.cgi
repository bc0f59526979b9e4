#!/bin/sh
# The hello page: which slot answers, where it runs, how often it was restarted, and a counter that lives in the
# store. Text for curl and friends, HTML for browsers.

# Redis takes commands as plain lines; the answer to INCR is ":<number>".
visits=$(printf 'INCR visits\r\nQUIT\r\n' | timeout 3 nc -w 2 store 6379 2>/dev/null | sed -n '1s/^:\([0-9]*\).*$/\1/p')
slot=${HIVEMIND_SLOT:-unknown}
node=${HIVEMIND_NODE:-unknown}
restarts=$((${HIVEMIND_RUN:-1} - 1))

case ${HTTP_ACCEPT:-} in
*text/html*) ;;
*)
  printf 'Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\r\n'
  printf 'Hello from %s on node %s\n' "$slot" "$node"
  printf 'restarts: %s\n' "$restarts"
  printf 'visits:   %s\n' "${visits:-the store does not answer}"
  exit 0
  ;;
esac

escape() {
  printf '%s' "$1" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
}

printf 'Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\r\n'
cat <<PAGE
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hello from $(escape "$slot")</title>
<style>
  :root { color-scheme: light dark; font: 18px/1.5 system-ui, sans-serif; }
  body { display: grid; place-items: center; min-height: 100vh; margin: 0; background: light-dark(#fdf6e3, #1c1a14); }
  main { padding: 2rem 3rem; border-radius: 1rem; background: light-dark(#fff, #2a271e); box-shadow: 0 .5rem 2rem #0002; }
  h1 { margin: 0 0 1rem; font-size: 1.6rem; }
  dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1.5rem; margin: 0; }
  dt { opacity: .6; } dd { margin: 0; font-variant-numeric: tabular-nums; }
  p { margin: 1.5rem 0 0; opacity: .6; font-size: .85rem; }
</style>
<main>
  <h1>Hello from $(escape "$slot")</h1>
  <dl>
    <dt>node</dt><dd>$(escape "$node")</dd>
    <dt>restarts</dt><dd>$(escape "$restarts")</dd>
    <dt>visits</dt><dd>$(escape "${visits:-the store does not answer}")</dd>
  </dl>
  <p>Reload: another slot may answer. The visits are kept in the store, whichever does.</p>
</main>
</html>
PAGE
