/**
 * What a store on Redis asks of it, each a script that runs as a whole. KEYS: keys in their order, values, what there
 * is to know of the store, owner.
 *
 * The owner is a token that lasts for a lease; each owner has a number, the epoch. Every script looks whether it is
 * still its caller's turn: so one that stood still for longer than its lease writes nothing over its successor. Its
 * lease ran out and nobody else came: it goes on.
 */

const fence = `
local owner = redis.call("GET", KEYS[4])
local epoch = redis.call("HGET", KEYS[3], "epoch")
if not epoch then return redis.error_reply("FORGOTTEN") end
if owner ~= ARGV[1] and (owner or epoch ~= ARGV[2]) then return redis.error_reply("FENCED") end`;

/** At last: what is written first decides whether Redis has room for all. It needs room only to come back. */
const prolong = `
if redis.call("PEXPIRE", KEYS[4], ARGV[3]) == 0 then
  redis.call("SET", KEYS[4], ARGV[1], "PX", ARGV[3])
end`;

/** Token, lease in ms, version: the version found and, when it is free, the epoch. */
export const ACQUIRE = `
local version = redis.call("HGET", KEYS[3], "version") or ARGV[3]
if version ~= ARGV[3] or redis.call("EXISTS", KEYS[4]) == 1 then return {version} end
redis.call("HSET", KEYS[3], "version", ARGV[3])
local epoch = redis.call("HINCRBY", KEYS[3], "epoch", 1)
redis.call("SET", KEYS[4], ARGV[1], "PX", ARGV[2])
return {version, tostring(epoch)}`;

/** Token, epoch, lease in ms. */
export const PROLONG = `${fence}${prolong}
return 1`;

/** Token, epoch, from, to, limit: key, value, key, value… */
export const READ = `${fence}
local entries = {}
local keys = redis.call("ZRANGEBYLEX", KEYS[1], ARGV[3], ARGV[4], "LIMIT", 0, ARGV[5])
for _, key in ipairs(keys) do
  entries[#entries + 1] = key
  entries[#entries + 1] = redis.call("HGET", KEYS[2], key)
end
return entries`;

/** Token, epoch, lease in ms, number of puts, key, value, key, value…, key to delete… */
export const WRITE = `${fence}
local at = 5
for _ = 1, tonumber(ARGV[4]) do
  redis.call("HSET", KEYS[2], ARGV[at], ARGV[at + 1])
  redis.call("ZADD", KEYS[1], 0, ARGV[at])
  at = at + 2
end
for i = at, #ARGV do
  redis.call("HDEL", KEYS[2], ARGV[i])
  redis.call("ZREM", KEYS[1], ARGV[i])
end${prolong}
return 1`;

/** Token. */
export const RELEASE = `
if redis.call("GET", KEYS[4]) == ARGV[1] then redis.call("DEL", KEYS[4]) end
return 1`;
