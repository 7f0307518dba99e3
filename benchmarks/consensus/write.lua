-- One write of 256 bytes of content through the public HTTP API of gwnode or etcd.
local kind = os.getenv("KIND")
local content = os.getenv("CONTENT")
local fields = { ["Content-Type"] = "application/json" }
local number = 0

function request()
    if kind == "gwnode" then return wrk.format("PUT", "/v1/config", fields, content) end
    number = number + 1
    local body = string.format('{"key":"%s","value":"%s"}', "a2V5" .. string.format("%04d", number % 64), content)
    return wrk.format("POST", "/v3/kv/put", fields, body)
end
