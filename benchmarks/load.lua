-- wrk -s load.lua URL -- KIND FOLDER TAG START
--
-- Cycles through the requests that load.py prepared in FOLDER: KIND.txt holds lines "path<TAB>body" in which @ stands
-- for the messageId and # for a number, visitors.txt one line of headers (tabs between them) a visitor. A messageId is
-- TAG and a number of nine digits, so Content-Length is known ahead. Of four requests one comes from a new visitor (no
-- cookie), two from visitors of a small set that any cache holds, one from a visitor who was not there for long; KIND
-- "seed" asks for each visitor in turn. START moves the place from which visitors are taken.
--
-- LuaJIT's string hash looks at the first and last four bytes and at two places in between: the number stands at the
-- very end of each body, or else all requests fall into one bucket and wrk becomes the slowest part.

local HOT = 5000
local FIRST = 100000000 -- nine digits, and no leading zero, which JSON would refuse

local templates, visitors, strangers = {}, {}, {}
local tag, cold, seed
local n = 0

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

function init(args)
  local kind, folder = args[1], args[2]
  tag, cold, seed = args[3], tonumber(args[4]), kind == "seed"
  for i, line in ipairs(lines_of(folder .. "/" .. kind .. ".txt")) do
    local path, before, between = line:match("^(%S+)\t(.-)@(.-)#}$")
    local length = #before + #tag + 9 + #between + 9 + 1
    local head = "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " .. length .. "\r\n"
    templates[i] = { head, "\r\n\r\n" .. before .. tag, between }
  end
  for i, line in ipairs(lines_of(folder .. "/visitors.txt")) do visitors[i] = line:gsub("\t", "\r\n") end
  for i, line in ipairs(lines_of(folder .. "/strangers.txt")) do strangers[i] = line:gsub("\t", "\r\n") end
end

local function next_visitor()
  if seed then return visitors[(cold + n) % #visitors + 1] end
  local turn = n % 4
  if turn == 0 then return strangers[n % #strangers + 1] end
  if turn == 2 then
    cold = cold + 1
    return visitors[HOT + cold % (#visitors - HOT) + 1]
  end
  return visitors[n % HOT + 1]
end

function request()
  n = n + 1
  local t = templates[n % #templates + 1]
  local number = FIRST + n
  return t[1] .. next_visitor() .. t[2] .. number .. t[3] .. number .. "}"
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write, errors.timeout, errors.status, latency:percentile(99)
  ))
end
