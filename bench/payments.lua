-- payments.lua - the same payments for wrk, to check bench_load against a program that others know:
--     wrk -t1 -c64 -d5s --latency -s bench/payments.lua http://127.0.0.1:PORT -- API_KEY
-- wrk abandons what is in flight when its time is up, so its counts are not exact.
-- Test card numbers in here are from ranges that the card schemes publish for sandboxes.

local cards = { "4111111111111111", "4242424242424242", "5555555555554444", "5200828282828210" }
local sent, seed = 0, ""

function init(args)
   wrk.headers["Authorization"] = "Bearer " .. args[1]
   wrk.headers["Content-Type"] = "application/json"
   wrk.headers["Accept"] = "application/json"
   local file = io.open("/dev/urandom", "rb")
   seed = file:read(12):gsub(".", function(c)
      local b = c:byte()
      return string.char(97 + b % 16, 97 + math.floor(b / 16))
   end)
   file:close()
end

function request()
   sent = sent + 1
   -- The multiplication spreads the keys, so that they are not in order.
   wrk.headers["Idempotency-Key"] = string.format("k%x-%s-%x", sent * 2654435761 % 4294967296, seed, sent)
   local body = string.format(
      '{"amount":{"value":%d,"currency":"EUR"},"kind":"purchase","capture":"automatic",' ..
      '"method":{"type":"card","card":{"entry":"manual","pan":"%s","expiry":"3012","cvv":"123",' ..
      '"cardholder_name":"CARDHOLDER/A"}},"payer":{"id":"cus_%08x","name":"A. Cardholder",' ..
      '"country":"DE","kyc_tier":2,"email":"cardholder@example.com"},' ..
      '"payee":{"id":"shop_berlin_12","name":"Corner shop","country":"DE"},' ..
      '"reference":"order-%x","description":"two coffees and a croissant","purpose":"GDDS",' ..
      '"metadata":{"till":"12","shift":"morning","basket":"b-%08x","loyalty":"none",' ..
      '"channel":"in store"}}',
      1250 + sent % 50, cards[sent % 4 + 1], sent % 100000, sent, sent)
   return wrk.format("POST", "/v1/payments", nil, body)
end
