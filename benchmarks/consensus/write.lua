-- One write of 256 bytes through the public HTTP API of gwnode or etcd, as wrk sends it.
local kind = os.getenv("KIND")
local content = os.getenv("CONTENT")
local keys = tonumber(os.getenv("KEYS"))
local requests = {}
local number = 0

function init()
    for key = 1, keys do
        if kind == "gwnode" then
            requests[key] = wrk.format("PUT", string.format("/v1/keys/key%04d", key), {}, content)
        elseif kind == "config" then
            requests[key] = wrk.format("PUT", "/v1/config", {}, content)
        else
            -- "a2V5" is "key" in base64; four digits more are whole groups of it.
            local body = string.format('{"key":"a2V5%04d","value":"%s"}', key, content)
            requests[key] = wrk.format("POST", "/v3/kv/put", { ["Content-Type"] = "application/json" }, body)
        end
    end
end

function request()
    number = number % keys + 1
    return requests[number]
end
