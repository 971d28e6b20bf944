-- One atomic change of one visitor, applied only when the stored revision is the one that the writer built on.
--
-- KEYS  1 profile  2 marks  3 log  [4 a set of notes, only for an erasure and for a merge's first and last step]
-- ARGV  1 start of the expected document, {"r":"<revision>", or '' for "no document"
--       2 document  3 its lifetime (s)  4 marks  5 their lifetime (s)  6 cap of the log (entries)
--       [7 SADD or SREM  8 the note, only with KEYS[4]]  then the log entries
-- Returns how many log entries the cap pushed out, or {document, marks} as stored when the revision is another one.
--
-- Every byte that comes into Lua is hashed, so only the document's start is fetched to compare revisions. With ''
-- expected the range is the whole document, and an absent one reads as ''.
local call, profile, log, expected = redis.call, KEYS[1], KEYS[3], ARGV[1]
if call('GETRANGE', profile, '0', #expected - 1) ~= expected then
  return {call('GET', profile), call('GET', KEYS[2])}
end

call('SETEX', profile, ARGV[3], ARGV[2])

local first = 7
if KEYS[4] then
  call(ARGV[7], KEYS[4], ARGV[8])
  first = 9
end
if ARGV[4] ~= '' then
  call('SETEX', KEYS[2], ARGV[5], ARGV[4])
else
  call('DEL', KEYS[2])
end

if first > #ARGV then
  return 0
end
for i = first, #ARGV do
  call('XADD', log, '*', 'e', ARGV[i])
end
-- XTRIM with ~ lets only whole nodes go (100 entries at most), so the log stays below the cap plus one node. The 16 are
-- about a node of usual entries: at the cap, every write would else ask for a trim that most of the time can do nothing.
if call('XLEN', log) > tonumber(ARGV[6]) + 16 then
  return call('XTRIM', log, 'MAXLEN', '~', ARGV[6])
end
return 0
