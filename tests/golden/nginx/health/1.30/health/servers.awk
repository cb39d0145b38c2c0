# Written by stackctl; watch.sh runs it. 'wanted' are the files *.conf beside this one: groups of servers, and how each
# server is asked. 'every' is the interval whose turn it is. By 'mode' it prints
#   names: the names to resolve, as arguments; a number before each separates their answers,
#   ask:   curl's configuration, with a comment for each server: number, site, server, address, path,
#   judge: the new state; it writes servers.conf and chosen.map for nginx, and what changed to the file 'log',
#   mark:  that state, with what nginx leaves out by the servers.conf that it has.
# The rows of the state are: site, server, address, path, up or down, since when, answers against that in a row,
# whether nginx leaves it out, and why it is down.
function host_of(server) { sub(/:[0-9]+$/, "", server); return server }
function port_of(server) { sub(/^.*:/, "", server); return server }
function prefix(g, s) { return site[g] "\t" at[g, s] "\t" path[g] }
function key(g, s, address) { return site[g] "\t" at[g, s] "\t" address "\t" path[g] }
function has_turn(g) { return every[g] == turn && !pinned[g] }
function quoted(text) { gsub(/[\\"]/, "\\\\&", text); return "\"" text "\"" }
function accepts(ranges, code,   part, ends, count, i) {
  count = split(ranges, part, ",")
  for (i = 1; i <= count; i++) {
    split(part[i] "-" part[i], ends, "-")
    if (code + 0 >= ends[1] + 0 && code + 0 <= ends[2] + 0) return 1
  }
  return 0
}
# The addresses of a server that are in a list, sorted: their order from a resolver changes.
function addresses(text, list,   count, i, j, one) {
  count = split(text, list, " ")
  for (i = 2; i <= count; i++) {
    one = list[i]
    for (j = i - 1; j > 0 && list[j] > one; j--) list[j + 1] = list[j]
    list[j + 1] = one
  }
  return count
}

part == "wanted" && $1 == "group" {
  group = ++groups; id[group] = $2; site[group] = site_of[$2] = $3; scheme[group] = $4; name[group] = $5; path[group] = $6
  ranges[group] = $7; every[group] = $8; limit[group] = $9; rise[group] = $10; fall[group] = $11
  next
}
part == "wanted" && $1 == "ask" { sub(/^ *ask /, ""); asking[group] = asking[group] $0 "\n"; next }
part == "wanted" && $1 == "server" {
  if (/ # in place of: /) { pinned[group] = 1; next }
  sub(/;.*$/, "")
  s = ++servers[group]; at[group, s] = $2
  $1 = $2 = ""; sub(/^ */, "")
  resolved[group, s] = sub(/ ?resolve$/, "")
  more[group, s] = $0 == "" ? "" : " " $0
  spare[group, s] = (" " $0 " ") ~ / (down|drain) /
  down[group, s] = (" " $0 " ") ~ / down /
  next
}
part == "wanted" && $1 !~ /^#/ && NF { body[group] = body[group] $0 "\n"; next }

part == "state" && split($0, f, "\t") >= 8 {
  k = f[1] "\t" f[2] "\t" f[3] "\t" f[4]; p = f[1] "\t" f[2] "\t" f[4]
  status[k] = f[5]; since[k] = f[6]; streak[k] = f[7]; reason[k] = f[9]
  if (f[3] != "-") before[p] = before[p] " " f[3]
  old[p] = old[p] " " f[3]
}

# A line of 'found' with a number begins the answer for the name of that number.
part == "found" && $2 == "STREAM" {
  if ($1 ~ /^0\.0\.[0-9]+\.[0-9]+$/) { split($1, f, "."); current = f[3] * 256 + f[4] }
  else if (!((current, $1) in answered)) { answered[current, $1] = 1; answer[current] = answer[current] " " $1 }
}

part == "asked" && /^# [0-9]/ {
  split(substr($0, 3), f, "\t")
  k = f[2] "\t" f[3] "\t" f[4] "\t" f[5]; p = f[2] "\t" f[3] "\t" f[5]
  asked[f[1]] = k
  now_at[p] = now_at[p] " " f[4]
  if (f[4] == "-") { code[k] = "000"; exited[k] = 6 }
}

part == "answers" && split($0, f, "\t") >= 3 && (f[1] in asked) {
  k = asked[f[1]]; code[k] = f[2]; exited[k] = f[3]; message[k] = f[4]
}

part == "loaded" && $1 == "upstream" { loaded = substr($2, length("servers_") + 1); next }
part == "loaded" && / down;$/ { out[site_of[loaded], $2] = 1 }

part == "judged" {
  if (split($0, f, "\t") < 9) print
  else print f[1] "\t" f[2] "\t" f[3] "\t" f[4] "\t" f[5] "\t" f[6] "\t" f[7] "\t" ((f[1], f[3]) in out ? "out" : "in") "\t" f[9]
}

END {
  for (g = 1; g <= groups; g++) for (s = 1; s <= servers[g]; s++) {
    h = host_of(at[g, s])
    if (resolved[g, s] && has_turn(g) && !(h in number)) { number[h] = ++hosts; host[hosts] = h }
  }
  if (mode == "names") for (n = 1; n <= hosts; n++) printf " 0.0.%d.%d %s", n / 256, n % 256, host[n]
  if (mode == "ask") ask()
  if (mode == "judge") { print "judged\t" now; judge() }
}

function ask(   g, s, i, count, list, h, text) {
  for (g = 1; g <= groups; g++) for (s = 1; s <= servers[g]; s++) {
    if (!has_turn(g) || down[g, s] || (prefix(g, s) in done)) continue
    done[prefix(g, s)] = 1
    text = at[g, s]
    if (resolved[g, s]) {
      h = host_of(at[g, s])
      text = answer[number[h]]
      gsub(/ [^ ]+/, "&:" port_of(at[g, s]), text)
      # While a resolver fails, its last answer counts.
      if (text == "") text = before[prefix(g, s)]
      if (text == "") text = "-"
    }
    count = addresses(text, list)
    for (i = 1; i <= count; i++) ask_one(g, s, list[i])
  }
}

function ask_one(g, s, address,   h) {
  print "# " ++asks "\t" site[g] "\t" at[g, s] "\t" address "\t" path[g]
  if (address == "-") return
  if (curls++) print "next"
  else print "parallel\nparallel-immediate\nparallel-max = 300"
  h = name[g] == "-" ? host_of(at[g, s]) : name[g]
  print "url = " quoted(scheme[g] "://" h ":" port_of(at[g, s]) path[g])
  print "connect-to = " quoted("::" address)
  print "header = " quoted("Host: " site[g])
  print "header = \"X-Forwarded-Proto: https\"\nuser-agent = \"stackctl\""
  printf "%s", asking[g]
  print "max-time = " limit[g] "\nnoproxy = \"*\"\ngloboff\npath-as-is\nsilent\noutput = \"/dev/null\""
  print "write-out = \"" asks "\\t%{http_code}\\t%{exitcode}\\t%{errormsg}\\n\""
}

function why(g, k) {
  if (exited[k] == 0) return path[g] " is answered with " code[k] + 0
  if (exited[k] == 6) return "its name does not resolve"
  if (exited[k] == 7) return "it accepts no connection"
  if (exited[k] == 28) return path[g] " is not answered within " limit[g] " s"
  if (exited[k] == 52 || exited[k] == 56) return "it ends the connection without an answer to " path[g]
  return path[g] " cannot be asked: " message[k]
}

# Moves a server up or down by its last answer, if it was asked.
function judge_one(g, k,   good) {
  judged[k] = 1
  if (!(k in status)) { status[k] = "up"; since[k] = now }
  if (!(k in exited)) return
  good = exited[k] == 0 && accepts(ranges[g], code[k])
  if (!good) reason[k] = why(g, k)
  else if (status[k] == "up") reason[k] = ""
  if (good == (status[k] == "up")) { streak[k] = 0; return }
  if (++streak[k] < (good ? rise[g] : fall[g])) return
  status[k] = good ? "up" : "down"; since[k] = now; streak[k] = 0
  if (good) reason[k] = ""
  print "stackctl: " site[g] ": " named(k) " is " status[k] (good ? " again" : ": " reason[k]) > log_file
}

function named(k,   f) {
  split(k, f, "\t")
  return f[3] == "-" || f[3] == f[2] ? f[2] : f[3] " (" f[2] ")"
}

function line(g, s, address) {
  return "    server " address more[g, s] (status[key(g, s, address)] == "down" && !down[g, s] ? " down" : "") ";\n"
}

function judge(   g, s, i, count, list, k, left, lost, lines) {
  for (g = 1; g <= groups; g++) {
    if (pinned[g]) continue
    left = lost = 0; lines = ""
    for (s = 1; s <= servers[g]; s++) {
      count = addresses(has_turn(g) ? now_at[prefix(g, s)] : old[prefix(g, s)], list)
      for (i = 1; i <= count; i++) {
        k = key(g, s, list[i])
        if (!(k in judged)) judge_one(g, k)
        if (list[i] == "-") continue
        if (status[k] == "down") lost++
        else if (!spare[g, s]) left++
        if (resolved[g, s]) lines = lines line(g, s, list[i])
      }
      if (!resolved[g, s]) lines = lines line(g, s, at[g, s])
      else if (!count || list[1] == "-") lines = lines "    server " at[g, s] more[g, s] " resolve;\n"
    }
    # The last one stays: if none answers, the check itself may be wrong.
    if (lost && left && !(id[g] in chosen)) {
      chosen[id[g]] = 1
      printf "upstream servers_%s {\n%s%s}\n", id[g], body[g], lines > servers_file
      printf "%s servers_%s;\n", id[g], id[g] > chosen_file
    }
    for (s = 1; s <= servers[g]; s++) {
      count = addresses(has_turn(g) ? now_at[prefix(g, s)] : old[prefix(g, s)], list)
      for (i = 1; i <= count; i++) {
        k = key(g, s, list[i])
        if (k in printed) continue
        printed[k] = 1
        print k "\t" status[k] "\t" since[k] "\t" streak[k] + 0 "\t" "in\t" reason[k]
      }
    }
  }
}
