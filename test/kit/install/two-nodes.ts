/**
 * Two daemons as somebody has installed them, on the loopback: they join, see each other, miss who is killed, and know it
 * again. A script of a shell, so that it runs where neither Node nor this repository is: what it shows is that the
 * program of the membership thread is found where it was put.
 */

/** In a folder of their own, which it fills. `tool` and `daemon` are commands; four free ports. The last line tells what was seen. */
export const twoNodes = (tool: string, daemon: string, ports: readonly number[]) => `
flags() { echo --name $1 --runtime process --membership-profile fast --data-dir $PWD/$1 --socket $PWD/$1.sock --api-address 127.0.0.1:$2 --cluster-address 127.0.0.1:$3; }
start() { name=$1; shift; ${daemon} "$@" >>$name.log 2>&1 & }
on() { at=$1; shift; ${tool} "$@" --address unix://$PWD/$at.sock; }
fail() { cat *.log; exit 1; }
try() { n=0; until "$@" >out 2>/dev/null; do n=$((n+1)); [ $n -lt 300 ] || fail; sleep 0.1; done; cat out; }
sees() { [ "$(on $1 node ls | grep -c " $2 ")" = $3 ]; }
start n1 $(flags n1 ${ports[0]} ${ports[1]}); one=$!
try on n1 cluster token >token
start n2 $(flags n2 ${ports[2]} ${ports[3]}) --join 127.0.0.1:${ports[1]} --token-file $PWD/token; two=$!
try sees n2 alive 2
try sees n1 alive 2
kill -KILL $two; wait $two
try sees n1 dead 1
start n2 $(flags n2 ${ports[2]} ${ports[3]}); two=$!
try sees n1 alive 2
kill $two $one
wait $two; ended=$?
wait $one; echo ended $ended $?
`;
