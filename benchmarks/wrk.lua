-- The requests of wrk, configured by environment variables (see load.py).
local ids = {}
for line in io.lines(os.getenv("BENCH_IDS")) do
  ids[#ids + 1] = line
end
local work, prefix = os.getenv("BENCH_WORK"), os.getenv("BENCH_PREFIX")
local get, list = os.getenv("BENCH_GET"), os.getenv("BENCH_LIST")
local create, body = os.getenv("BENCH_CREATE"), os.getenv("BENCH_BODY")
local method = os.getenv("BENCH_METHOD")
local json = { ["Content-Type"] = "application/json" }
local token = os.getenv("BENCH_TOKEN")
if token ~= "" then
  wrk.headers["Authorization"] = "Bearer " .. token
  json["Authorization"] = "Bearer " .. token
end
local made = 0
math.randomseed(tonumber(os.getenv("BENCH_SEED")))

local works = {
  get = function()
    return wrk.format("GET", (get:gsub("{id}", ids[math.random(#ids)])))
  end,
  list = function()
    return wrk.format("GET", list)
  end,
  create = function()
    made = made + 1
    return wrk.format(method, create, json, (body:gsub("{n}", prefix .. made)))
  end,
}

function works.mixed()
  local dice = math.random(100)
  if dice <= 80 then
    return works.get()
  end
  return dice <= 95 and works.list() or works.create()
end

request = works[work]

local pause = tonumber(os.getenv("BENCH_PAUSE"))
if pause > 0 then
  function delay()
    return math.random(2 * pause)
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "refused": %d, "failed": %d, "p50": %.3f, "p99": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status, failed,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
