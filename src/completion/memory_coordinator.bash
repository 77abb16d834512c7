# bash completion for memory_coordinator(8), loaded by the package bash-completion. -*- shell-script -*-
# shellcheck shell=bash disable=SC2207,SC2154 # words are meant to split; cur, prev, words are set by _init_completion

# The running domains. Who may only look may know their names; a libvirtd that hangs is not waited for.
_memory_coordinator_domains()
{
    local uri='' i
    for ((i = 1; i + 1 < cword; i++)); do
        case ${words[i]} in
            -c | --connect) uri=${words[i + 1]} ;;
            --connect=*) uri=${words[i]#*=} ;;
        esac
    done
    timeout 2 virsh -r -q ${uri:+-c "$uri"} list --name 2> /dev/null
}

# A number gets its units: those of sizes, and $2. Where there is none yet the default, $1, is offered.
_memory_coordinator_size()
{
    local number=${cur%%[!0-9.]*}
    if [[ $number ]]; then
        COMPREPLY=($(compgen -W "${number}KiB ${number}MiB ${number}GiB ${2:+$number$2}" -- "$cur"))
    else
        COMPREPLY=($(compgen -W "$1" -- "$cur"))
    fi
}

# The value of the option before the cursor. Fails where that takes none.
_memory_coordinator_value()
{
    case $prev in
        -c | --connect)
            COMPREPLY=($(compgen -W 'qemu:///system qemu:///session xen:///system' -- "$cur"))
            __ltrim_colon_completions "$cur"
            ;;
        -f | --config | --record) _filedir ;;
        --metrics) _filedir prom ;;
        --state-dir) _filedir -d ;;
        --host-reserve | --min) _memory_coordinator_size 200MiB ;;
        --headroom) _memory_coordinator_size 100MiB % ;;
        --surge) _memory_coordinator_size 28MiB ;;
        --metric) COMPREPLY=($(compgen -W 'unused usable' -- "$cur")) ;;
        --on-exit) COMPREPLY=($(compgen -W 'leave restore release' -- "$cur")) ;;
        --ksm) COMPREPLY=($(compgen -W 'auto off' -- "$cur")) ;;
        --log-format) COMPREPLY=($(compgen -W 'text json' -- "$cur")) ;;
        --call-timeout) COMPREPLY=($(compgen -W 5 -- "$cur")) ;;
        --ttl) COMPREPLY=($(compgen -W '60 600 3600' -- "$cur")) ;;
        --wait) COMPREPLY=($(compgen -W '10 60' -- "$cur")) ;;
        --name) ;;
        *) return 1 ;;
    esac
}

# What "set" sets: KEY=VALUE, the value where there are few.
_memory_coordinator_setting()
{
    case $cur in
        managed=*) COMPREPLY=($(compgen -W 'yes no' -- "${cur#*=}")) ;;
        *=*) ;;
        *)
            COMPREPLY=($(compgen -W 'min= max= headroom= shares= managed=' -- "$cur"))
            compopt -o nospace
            ;;
    esac
}

# How many words before the cursor are neither options nor their values nor the command.
_memory_coordinator_operands()
{
    local count=0 i
    for ((i = 2; i < cword; i++)); do
        case ${words[i]} in
            -c | --connect | -f | --config | --state-dir | --ttl | --wait | --name | --host-reserve | --surge | --metric) ((i++)) ;;
            -*) ;;
            *) ((count++)) ;;
        esac
    done
    echo "$count"
}

_memory_coordinator()
{
    local cur prev words cword split
    _init_completion -s -n : || return
    _memory_coordinator_value && return
    $split && return

    local command='' options='--connect --state-dir --help'
    ((cword > 1)) && command=${words[1]}
    case $command in
        status) options+=' --json --watch' ;;
        pause) options+=' --ttl' ;;
        reserve) options+=' --name --ttl --wait --hook' ;;
        explain | resume | release | set) ;;
        replay) options='--config --host-reserve --surge --metric --quiet --help' ;;
        *)
            options+=' --config --record --metrics --log-format --host-reserve --min --headroom --surge --metric --on-exit --call-timeout --ksm
                --dry-run --once --verbose --quiet --version'
            command=
            ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        return
    fi
    case $command:$(_memory_coordinator_operands) in
        explain:0 | set:0) COMPREPLY=($(compgen -W "$(_memory_coordinator_domains)" -- "$cur")) ;;
        reserve:0) _memory_coordinator_size 512MiB ;;
        set:*) _memory_coordinator_setting ;;
        replay:0) _filedir ;;
        :*)
            COMPREPLY=($(compgen -W '1 2 5 10' -- "$cur"))
            ((cword > 1)) || COMPREPLY+=($(compgen -W 'status explain pause resume reserve release set replay' -- "$cur"))
            ;;
    esac
} && complete -F _memory_coordinator memory_coordinator
