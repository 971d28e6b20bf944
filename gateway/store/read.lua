-- What is stored about one visitor, unless the reader has it already.
--
-- KEYS  1 profile  2 marks
-- ARGV  1 start of the document that the reader has, {"r":"<revision>", or '' for "no document"
-- Returns nil when that is what is stored, else {document, marks}.
local profile, known = KEYS[1], ARGV[1]
if known ~= '' and redis.call('GETRANGE', profile, '0', #known - 1) == known then
  return false
end
local stored = redis.call('GET', profile)
if known == '' and not stored then
  return false
end
return {stored, redis.call('GET', KEYS[2])}
