-- wrk -s strangers.lua URL -- KIND FOLDER START
--
-- KIND "cached": the visitors of FOLDER/regulars.txt in turn, one line of headers (tabs between them) each. KIND
-- "strangers": each request has an agent, an address, a claimed id and a cookie with a bad signature that nobody had
-- before; START is the number of the first. Bodies are of one length, and end in the number: see load.lua on hashes.

local regulars = {}
local kind, n, from

local SYSTEMS = { "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64", "Linux; Android 14" }
local PAGE = '"context":{"page":{"path":"/hinnoittelu","url":"http://localhost:3000/hinnoittelu?utm_source=news",'
  .. '"referrer":"https://www.google.com/","title":"Insight"},"library":{"name":"tuttu.js","version":"0.1.0"},'
  .. '"locale":"fi-FI","screen":{"width":1280,"height":720,"density":2},"timezone":"Europe/Helsinki"},'
local PROPERTIES = '"properties":{"path":"/hinnoittelu","url":"http://localhost:3000/hinnoittelu?utm_source=news"},'

function init(args)
  kind, from, n = args[1], tonumber(args[3]), 0
  for line in io.lines(args[2] .. "/regulars.txt") do regulars[#regulars + 1] = (line:gsub("\t", "\r\n")) end
  math.randomseed(from + 1)
end

local function letters(length)
  local found = {}
  for i = 1, length / 4 do found[i] = string.format("%04x", math.random(0, 65535)) end
  return table.concat(found)
end

local function agent(number)
  local form = number % 4
  if form == 0 then return "agent " .. letters(24) .. number end
  if form == 1 then return "Mozilla/5.0 (Linux; Android 14; " .. letters(320) .. number end -- longer than any browser's
  return "Mozilla/5.0 (" .. SYSTEMS[number % 3 + 1] .. ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/"
    .. math.random(60, 150) .. ".0." .. number .. "." .. math.random(0, 999) .. " Safari/537.36"
end

local function address(number)
  if number % 3 == 0 then return "2a00:" .. letters(4) .. ":" .. letters(4) .. ":" .. letters(4) .. "::" .. string.format("%x", number % 65536) end
  return string.format("%d.%d.%d.%d", math.random(1, 9), number / 65536 % 256, number / 256 % 256, number % 256)
end

local function stranger(number)
  return "User-Agent: " .. agent(number) .. "\r\nX-Forwarded-For: " .. address(number)
    .. "\r\nContent-Type: text/plain\r\nOrigin: http://localhost:3000\r\nSec-Fetch-Site: same-site\r\nAccept-Language: fi-FI,fi;q=0.9"
    .. "\r\nCookie: __Host-tuttu_id=" .. letters(20) .. ".AAAA." .. letters(20)
end

function request()
  n = n + 1
  local number = string.format("%09d", from + n)
  local claimed = (n % 2 == 0 and '"userId":"' or '"anonymousId":"') .. letters(16) .. number .. '"'
  local headers = kind == "cached" and regulars[n % #regulars + 1] or stranger(from + n)
  local body = '{"writeKey":"demo","type":"page",' .. PAGE .. PROPERTIES .. claimed .. ',"messageId":"' .. number .. '"}'
  return "POST /v1/page HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " .. #body .. "\r\n" .. headers .. "\r\n\r\n" .. body
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write, errors.timeout, errors.status, latency:percentile(99)
  ))
end
