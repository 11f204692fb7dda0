"""What must happen in Redis as one step, in Lua.

A value is a string: the mark of its tag (32 characters, `NO_TAG` for none), a signature, the header, the payload. A tag
is a sorted set of keys, each with the moment at which Redis forgets its value; the set expires with its last one. A key
stays in the set of a tag it no longer has until one of these scripts comes by: the mark in the value decides, not the
set.
"""

from typing import Final

NO_TAG: Final = b"-" * 32

TAG: Final = """
-- KEYS: the tag's set. ARGV: key, milliseconds until its value is forgotten (-1: never), and so on
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then redis.call('DEL', KEYS[1]) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
for i = 1, #ARGV, 2 do
  local left = tonumber(ARGV[i + 1])
  redis.call('ZADD', KEYS[1], left < 0 and '+inf' or string.format('%.0f', now + left), ARGV[i])
end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
if last == 'inf' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], last) end
return 1
"""

_FORGET = """
local function forget(name, key, tags)
  local mark = redis.pcall('GETRANGE', name, 0, 31)
  if type(mark) == 'string' and #mark == 32 then redis.pcall('ZREM', tags .. mark, key) end
  return redis.call('UNLINK', name)
end
"""

DELETE: Final = (
    _FORGET
    + """
-- KEYS: the value. ARGV: key, how the names of tags begin
return forget(KEYS[1], ARGV[1], ARGV[2])
"""
)

EVICT: Final = """
-- KEYS: the tag's set. ARGV: its mark, how the names of values begin, how many at a time
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then
  redis.call('DEL', KEYS[1])
  return {0, 0}
end
local keys = redis.call('ZRANGE', KEYS[1], 0, ARGV[3] - 1)
local gone = 0
for _, key in ipairs(keys) do
  local name = ARGV[2] .. key
  if redis.pcall('GETRANGE', name, 0, 31) == ARGV[1] then gone = gone + redis.call('UNLINK', name) end
  redis.call('ZREM', KEYS[1], key)
end
return {#keys, gone}
"""

SWEEP: Final = (
    _FORGET
    + """
-- KEYS: values. ARGV: now (seconds), how the names of values and of tags begin, where the magic is and the
-- moment until which it is kept (first byte, counted from 0), the magic
local now, entries, bytes = tonumber(ARGV[1]), 0, 0
for _, name in ipairs(KEYS) do
  local size = redis.pcall('STRLEN', name)
  local good = false
  if type(size) == 'number' then
    local magic = redis.call('GETRANGE', name, ARGV[4], ARGV[4] + #ARGV[6] - 1)
    local kept = redis.call('GETRANGE', name, ARGV[5], ARGV[5] + 7)
    good = magic == ARGV[6] and #kept == 8 and struct.unpack('>d', kept) > now
  else
    size = 0
  end
  if not good and forget(name, string.sub(name, #ARGV[2] + 1), ARGV[3]) == 1 then
    entries, bytes = entries + 1, bytes + size
  end
end
return {entries, bytes}
"""
)

TIDY: Final = """
-- KEYS: a tag's set. ARGV: its mark, how the names of values begin, keys...
for i = 3, #ARGV do
  if redis.pcall('GETRANGE', ARGV[2] .. ARGV[i], 0, 31) ~= ARGV[1] then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return #ARGV - 2
"""

SIZES: Final = """
-- KEYS: values
local entries, bytes = 0, 0
for _, name in ipairs(KEYS) do
  local size = redis.pcall('STRLEN', name)
  if type(size) == 'number' and size > 0 then entries, bytes = entries + 1, bytes + size end
end
return {entries, bytes}
"""

CLAIM: Final = """
-- KEYS: a claim. ARGV: our token, milliseconds
if redis.call('PTTL', KEYS[1]) == -1 then redis.call('DEL', KEYS[1]) end -- without an end: nobody of us set it
if redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return 1 end
return redis.pcall('GET', KEYS[1]) == ARGV[1] and 1 or 0 -- ours, when the answer to the first try was lost
"""

RENEW: Final = """
-- KEYS: a claim. ARGV: our token, milliseconds
local holder = redis.pcall('GET', KEYS[1])
if holder == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if not holder then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 0
"""

RELEASE: Final = """
-- KEYS: a claim. ARGV: our token
if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
