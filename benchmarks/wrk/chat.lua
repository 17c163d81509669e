-- One chat request, over and over: wrk -s chat.lua URL -- MODEL STREAM KEY
-- Streams have no length that wrk could check, so what came is counted by the benchmark from the bytes.
function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  if args[3] then wrk.headers["Authorization"] = "Bearer " .. args[3] end
  wrk.body = string.format(
    '{"model":"%s","stream":%s,"messages":[{"role":"user","content":"What is the capital of France?"}]}',
    args[1], args[2])
end

function done(summary, latency, requests)
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"bytes":%d,"errors":%d,"p50_ms":%.4f,"p90_ms":%.4f,"p99_ms":%.4f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(90) / 1000, latency:percentile(99) / 1000))
end
