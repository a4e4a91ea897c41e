#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016  # scripts of other shells
# The completion of the programs in bash, zsh and fish, by the shells themselves: what is offered for a command line.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

programs='sc-server sc-client sc-keygen sc-bench'
scripts=$SC_BUILDDIR/contrib/completion
[ -d "$scripts" ] || skip "a cross build makes no completion"
mkdir -p files/certs home/.config/space-captain
touch files/server.crt 'files/my own.pem' files/notes.txt
printf '[default]\ntimeout = 3\n[zz-home]\nconnect = a:1\n [ zz-office.example ] # b\n' >home/.config/space-captain/client.conf
export HOME="$tmp/home"
unset XDG_CONFIG_HOME

# Each reads command lines from standard input and prints, for each, "== LINE" and what is offered for its last word, one a line.
# bash: the line is cut into words as readline does it.
cat >bash.sh <<'END'
cd files || exit
for program in sc-server sc-client sc-keygen sc-bench; do source "$1/bash/$program" || exit; done
while IFS= read -r line; do
    echo "== $line"
    COMP_WORDS=() word=
    for ((i = 0; i < ${#line}; i++)); do
        char=${line:i:1}
        case $char in
        ' ') [[ -z $word ]] || COMP_WORDS+=("$word"); word= ;;
        [=:]) [[ -z $word || $word == [=:] ]] || COMP_WORDS+=("$word"); word=$char ;;
        *) [[ $word != [=:] ]] || { COMP_WORDS+=("$word"); word=; }; word+=$char ;;
        esac
    done
    COMP_WORDS+=("$word")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    read -ra how < <(complete -p "${COMP_WORDS[0]}")
    "${how[2]}" "${COMP_WORDS[0]}" "$word" "${COMP_WORDS[COMP_CWORD - 1]}"
    for word in "${COMPREPLY[@]}"; do echo "$word"; done
done
END

# zsh: in an interactive shell on a terminal; what its completion system adds is written down.
cat >zsh.sh <<'END'
cd files || exit
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1= RPS1=; stty -echo; fpath=($1/zsh \$fpath); autoload -Uz compinit; compinit -u -D
compadd() {
    if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd \"\$@\"; return; fi
    local -a matches
    builtin compadd -A matches \"\$@\"
    print -rl -- \$matches >>$2
    local shown=\${@[\${@[(i)-*d]}+1]}
    [[ -z \$shown ]] || print -rl -- \${(P)shown} >>$2.shown
    builtin compadd \"\$@\"
}
complete-and-tell() { _main_complete; compstate[list]= compstate[insert]=; print -n COMPLE''TED }
zle -C complete-and-tell list-choices complete-and-tell
bindkey '^I' complete-and-tell
print REA''DY"
zpty -r z answer '*READY*'
while IFS= read -r line; do
    print -r -- "== $line"
    : >|$2
    zpty -n -w z "$line"$'\t'
    zpty -r z answer '*COMPLETED*'
    grep . $2
    zpty -n -w z $'\025'
done
zpty -d z
END

cat >fish.sh <<'END'
cd files; or exit
for program in sc-server sc-client sc-keygen sc-bench; source $argv[1]/fish/$program.fish; or exit; end
while read -l line
    echo "== $line"
    complete -C $line | string replace -r '\t.*' ''
end
true
END

# offers LINE WORD...: these are offered for it, and nothing else. In every shell, but with what a shell adds of its own: bash shows what
# it puts after the last = or :, a directory without its slash, and a blank with a backslash.
offers() {
    printf '%s\n' "$1" >>lines
    line=$1
    shift
    for word; do printf '%s\t%s\n' "$line" "$word"; done >>expected
}

# offered SHELL: the answers of one shell as lines of $tmp/expected.
offered() {
    awk -v shell="$1" '
        /^== / { line = substr($0, 4); next }
        {
            gsub(/\\/, "")
            sub(/\/$/, "", $0)
            word = line
            sub(/.* /, "", word)
            sub(/.*[=:]/, "", $0)
            if ($0 == "") next
            print line "\t" $0
        }' "$1.out" | sort -u
}

all_options() {
    run 0 "$1" --help
    sed -n 's/^ \{2,6\}\(-[a-zA-Z], \)\{0,1\}\(--[a-z][a-z0-9-]*\).*/\2/p' out
}

for program in $programs; do
    # shellcheck disable=SC2046
    offers "$program --" $(all_options "$program")
done
run 0 sc-client --help
# shellcheck disable=SC2046
offers 'sc-client ' $(tr '\n' ' ' <out | sed 's/.*COMMAND is one of: \([^.]*\)\..*/\1/; s/ [A-Z]*,/ /g; s/,/ /g; s/ [A-Z]*$//')
grep -q 'sc-client .reverse$' expected || fail "no commands in --help"
offers 'sc-client --pin server.crt --json r' reverse
offers 'sc-client --pin=server.crt t' time
offers 'sc-client --pin server.crt echo -'
offers 'sc-client --timeout '
offers 'sc-client --pin s' sha256// server.crt
offers 'sc-client --pin ' sha256// cert-sha256: ca: server.crt 'my own.pem' certs
offers 'sc-client --pin=ser' server.crt
offers 'sc-client --pin n' notes.txt
offers 'sc-client --pin ca:' server.crt 'my own.pem' certs notes.txt
offers 'sc-client --pin=ca:no' notes.txt
offers 'sc-client --connect unix:ser' server.crt
offers 'sc-client --connect zz-' zz-home zz-office.example
offers 'sc-bench --connect=zz-o' zz-office.example
offers 'sc-client --connect defau'
offers 'sc-client --tls-library o' openssl
types=$(sc-bench --help | tr '\n' ' ' | sed 's/  */ /g; s/.* TYPE \([a-z, ]*\) or mix .*/\1 mix/; s/,//g')
offers 'sc-bench --type ' $types
offers 'sc-bench --type=m' mix
offers 'sc-bench -t r' reverse
offers 'sc-bench --svg no' notes.txt
offers 'sc-bench --resume --sv' --svg
offers 'sc-client --pin server.crt --pi' --pin --pin-store
offers 'sc-bench --compare no' notes.txt
offers 'sc-bench --compare notes.txt s' server.crt
offers 'sc-keygen --show ' server.crt 'my own.pem' certs
offers 'sc-keygen --out c' certs
offers 'sc-server --log-format ' auto text json journal
offers 'sc-server --client-auth r' require
offers 'sc-server -c n' notes.txt
offers 'sc-server --client-pin ' sha256// cert-sha256: ca: server.crt 'my own.pem' certs
offers 'sc-server --max-body '

# What comes after the last = or : is all that one can compare between shells; a form that ends with : is not in it.
sed 's/\t.*[=:]/\t/' expected | sed '/\t$/d; s|/\{1,2\}$||' | sort -u >wanted

tested=
for shell in bash zsh fish; do
    if ! command -v $shell >/dev/null; then
        skip_part "$shell is not installed"
        continue
    fi
    for file in "$scripts/$shell"/*; do
        $shell -n "$file" 2>"$shell.log" || fail "$shell can't read $file"
    done
    : >hits
    $shell $shell.sh "$scripts" "$tmp/hits" <lines >$shell.out 2>$shell.log || fail "$shell: the completion ended with status $?"
    [ "$(grep -c '^== ' $shell.out)" = "$(wc -l <lines)" ] || fail "$shell did not come to the end of the command lines"
    offered $shell | sed 's|/$||' | sort -u >got
    diff wanted got >&2 || fail "$shell offers (>) something else than expected (<)"
    # Forms that go on are offered as they stand.
    for form in sha256// cert-sha256: ca:; do
        sed -n '/^== sc-client --pin $/,/^== /p' $shell.out | grep -qxF "$form" || fail "$shell does not offer $form"
    done
    tested="$tested $shell"
    pass "$shell"
done

# Names of hosts: bash reads them from $HOSTFILE.
if command -v bash >/dev/null; then
    echo '192.0.2.1 zz-server.example' >hosts
    printf '%s\n' 'sc-keygen --name zz-s' 'sc-keygen --status --connect zz-s' 'sc-client --connect zz-s' | HOSTFILE=$tmp/hosts bash bash.sh "$scripts" >names ||
        fail "bash does not complete names of hosts"
    [ "$(grep -cx zz-server.example names)" = 3 ] || fail "not all names of hosts are completed: $(cat names)"
fi

# What a command is for stands beside it (hits.shown is what zsh lists): of a request from its row in the table of message types.
for command in 'echo:get TEXT back' 'time:get the time of the server' 'doctor:check every layer up to the server'; do
    if command -v fish >/dev/null; then
        fish -c 'source $argv[1]; complete -C "sc-client $argv[2]"' "$scripts/fish/sc-client.fish" "${command%%:*}" | grep -qxF "$(printf '%s\t%s' "${command%%:*}" "${command#*:}")" ||
            fail "fish does not say what ${command%%:*} is for"
    fi
    if command -v zsh >/dev/null; then
        grep -q "^${command%%:*} *-- ${command#*:}\$" hits.shown || fail "zsh does not say what ${command%%:*} is for"
    fi
done

# As somebody types it: readline puts into the line what it is given, and nothing twice.
if command -v bash >/dev/null; then
    printf 'PS1="ready "\nsource "%s/bash/sc-client"\ncd files\n' "$scripts" >bashrc
    terminal 20 'ready ' 'sc-client --pin=ser\t' 'server.crt ' '--js\t' '--json ' '--pin ca:my\t' 'own.pem ' 'rev\t' 'reverse ' '\x15exit\n' \
        -- env -u INPUTRC TERM=dumb bash --noprofile --rcfile bashrc -i >typed || fail "bash does not complete what is typed: $(cat typed)"
    grep -q 'sc-client --pin=server.crt --json --pin ca:my.* own.pem reverse' typed || fail "the line is not what it should be: $(cat typed)"
fi
# The package bash-completion finds the script by its name.
if [ -r /usr/share/bash-completion/bash_completion ]; then
    mkdir -p share/bash-completion
    ln -s "$scripts/bash" share/bash-completion/completions
    XDG_DATA_DIRS=$tmp/share bash --norc -c '. /usr/share/bash-completion/bash_completion; _completion_loader sc-bench || :; complete -p sc-bench' >loaded ||
        fail "bash-completion does not load the script"
    grep -qx 'complete -F _sc_bench sc-bench' loaded || fail "bash-completion loads $(cat loaded)"
else
    skip_part "bash-completion is not installed"
fi
[ "$tested" ] || skip "there is no bash, zsh or fish"
