"""The products whose JSON objects have the target in fields of their own, one row each."""

from stream_detector.sources.json_products import Product


def _any(*values: str) -> frozenset[str]:
    return frozenset(values)


_NO_TRAFFIC = _any("authentication", "email", "iam", "session")

PRODUCTS: tuple[Product, ...] = (
    # https://schema.ocsf.io/1.8.0/classes/http_activity, .../dns_activity
    Product(
        "ocsf",
        "class_uid query.hostname",
        name="query.hostname",
        client="src_endpoint.ip src_endpoint.hostname device.ip device.hostname",
        time="time",
        log_id="metadata.uid",
    ),
    Product(
        "ocsf",
        "class_uid http_request.url.url_string",
        url="http_request.url.url_string",
        host="http_request.url.hostname dst_endpoint.hostname dst_endpoint.domain",
        method="http_request.http_method",
        client="src_endpoint.ip src_endpoint.hostname device.ip",
        time="time",
        log_id="metadata.uid",
    ),
    Product(
        "ocsf",
        "class_uid http_request.url.hostname",
        host="http_request.url.hostname",
        path="http_request.url.path",
        query="http_request.url.query_string",
        port="http_request.url.port",
        scheme="http_request.url.scheme",
        method="http_request.http_method",
        client="src_endpoint.ip src_endpoint.hostname device.ip",
        time="time",
        log_id="metadata.uid",
    ),
    Product(
        "ocsf",
        "class_uid tls.sni",
        host="tls.sni",
        client="src_endpoint.ip src_endpoint.hostname",
        time="time",
        log_id="metadata.uid",
    ),
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html
    Product(
        "route53",
        "query_name srcaddr",
        name="query_name",
        client="srcaddr srcids.instance",
        time="query_timestamp",
    ),
    # https://cloud.google.com/dns/docs/monitoring
    Product(
        "google_dns",
        "jsonPayload.queryName",
        name="jsonPayload.queryName",
        client="jsonPayload.sourceIP jsonPayload.vmInstanceName",
        time="timestamp receiveTimestamp",
        log_id="insertId",
    ),
    # https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest
    Product(
        "google_http",
        "httpRequest.requestUrl",
        url="httpRequest.requestUrl",
        method="httpRequest.requestMethod",
        client="httpRequest.remoteIp",
        time="timestamp",
        log_id="insertId",
    ),
    # https://learn.microsoft.com/en-us/azure/azure-monitor/reference/tables/azfwdnsquery and
    # .../azfwapplicationrule, .../dnsquerylogs
    Product(
        "azure",
        "properties.QueryName",
        name="properties.QueryName",
        client="properties.SourceIp properties.SourceIpAddress",
        time="time",
    ),
    Product(
        "azure",
        "properties.queryName",
        name="properties.queryName",
        client="properties.sourceIpAddress properties.sourceIp",
        time="time",
    ),
    Product(
        "azure",
        "properties.Fqdn properties.SourceIp",
        url="properties.TargetUrl",
        host="properties.Fqdn",
        client="properties.SourceIp",
        time="time",
    ),
    Product(
        "azure",
        "properties.requestUri properties.clientIP",
        url="properties.requestUri",
        host="properties.host properties.originalHost",
        query="properties.requestQuery",
        method="properties.httpMethod",
        client="properties.clientIP",
        time="timeStamp time",
    ),
    Product(
        "azure",
        "properties.requestUri properties.clientIp",
        url="properties.requestUri",
        host="properties.hostName",
        method="properties.httpMethod",
        client="properties.clientIp",
        time="time",
        log_id="properties.trackingReference",
    ),
    # https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/
    Product(
        "cloudflare",
        "QueryName SrcIP",
        name="QueryName",
        client="SrcIP DeviceName",
        time="Datetime",
    ),
    Product(
        "cloudflare",
        "HTTPHost SourceIP",
        url="URL",
        host="HTTPHost",
        method="HTTPMethod",
        client="SourceIP",
        time="Datetime",
        log_id="RequestID",
    ),
    Product(
        "cloudflare",
        "ClientRequestHost",
        host="ClientRequestHost",
        path="ClientRequestURI ClientRequestPath",
        scheme="ClientRequestScheme",
        method="ClientRequestMethod",
        client="ClientIP",
        time="EdgeStartTimestamp EdgeEndTimestamp",
        log_id="RayID",
    ),
    Product(
        "cloudflare",
        "SNI SourceIP",
        host="SNI",
        client="SourceIP",
        time="Datetime",
        log_id="SessionID",
    ),
    # https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html
    Product(
        "aws_waf",
        "httpRequest.uri httpRequest.clientIp",
        host="httpRequest.host",
        path="httpRequest.uri",
        query="httpRequest.args",
        method="httpRequest.httpMethod",
        client="httpRequest.clientIp",
        time="timestamp",
        log_id="httpRequest.requestId",
    ),
    # https://github.com/AdguardTeam/AdGuardHome/wiki, internal/querylog
    Product("adguard_home", "QH QT", name="QH", client="IP CID", time="T"),
    # https://github.com/dmachard/DNS-collector/blob/main/docs/formats.md
    Product(
        "dnstap",
        "dns.qname dnstap.operation",
        only={
            "dnstap.operation": _any(
                *("CLIENT_QUERY", "FORWARDER_QUERY", "RESOLVER_QUERY", "AUTH_QUERY", "STUB_QUERY"),
                *("TOOL_QUERY", "UPDATE_QUERY", "DNS_QUERY", "-"),
            )
        },
        name="dns.qname",
        client="network.query-ip",
        time="dnstap.timestamp-rfc3339ns",
    ),
    # https://vector.dev/docs/reference/configuration/sources/dnstap/
    Product(
        "dnstap",
        "messageType requestData.question.0.domainName",
        name="requestData.question.0.domainName",
        client="sourceAddress",
        time="timestamp time",
    ),
    # https://www.elastic.co/docs/reference/ecs/ecs-dns, .../ecs-tls, .../ecs-destination
    Product(
        "ecs",
        "dns.question.name",
        name="dns.question.name",
        client="source.ip client.ip source.address client.address host.name",
        time="@timestamp",
        log_id="event.id",
    ),
    # https://learn.microsoft.com/en-us/sysinternals/downloads/sysmon#event-id-22-dnsevent-dns-query
    Product(
        "sysmon",
        "winlog.event_data.QueryName",
        name="winlog.event_data.QueryName",
        client="winlog.computer_name host.name",
        time="winlog.event_data.UtcTime @timestamp",
        log_id="winlog.event_data.ProcessGuid",
    ),
    Product(
        "sysmon",
        "Event.EventData.QueryName",
        name="Event.EventData.QueryName",
        client="Event.System.Computer",
        time="Event.System.TimeCreated.SystemTime Event.EventData.UtcTime",
    ),
    Product(
        "sysmon",
        "EventData.QueryName",
        name="EventData.QueryName",
        client="Computer System.Computer",
        time="EventData.UtcTime TimeCreated",
    ),
    Product(
        "sysmon",
        "EventID QueryName",
        name="QueryName",
        client="Hostname Computer host.name hostname",
        time="UtcTime EventTime",
    ),
    # Falcon Data Replicator
    Product(
        "crowdstrike",
        "event_simpleName DomainName",
        only={
            "event_simpleName": _any("DnsRequest", "SuspiciousDnsRequest", "DnsRequestResult"),
        },
        name="DomainName",
        client="ComputerName LocalAddressIP4 aip aid",
        time="ContextTimeStamp timestamp",
        log_id="id",
    ),
    # https://learn.microsoft.com/en-us/defender-xdr/advanced-hunting-devicenetworkevents-table
    Product(
        "defender",
        "properties.RemoteUrl",
        url="properties.RemoteUrl",
        client="properties.DeviceName properties.LocalIP",
        time="properties.Timestamp time",
        log_id="properties.ReportId",
    ),
    Product(
        "defender",
        "RemoteUrl DeviceName",
        url="RemoteUrl",
        client="DeviceName LocalIP",
        time="Timestamp TimeGenerated",
    ),
    Product(
        "carbon_black",
        "netconn_domain",
        host="netconn_domain",
        client="local_ip device_name device_external_ip",
        time="device_timestamp",
        log_id="event_id",
    ),
    Product(
        "sentinelone",
        "event.dns.request",
        name="event.dns.request",
        client="endpoint.name src.ip.address",
        time="event.time",
        log_id="event.id",
    ),
    # https://help.zscaler.com/zia/nss-feed-output-format-dns-logs
    Product(
        "zscaler_dns",
        "req reqtype",
        name="req",
        client="clientip srcip cip sourceip",
        time="epochtime",
    ),
    # https://doc.traefik.io/traefik/observe/logs-and-access-logs/
    Product(
        "traefik",
        "RequestHost",
        host="RequestHost",
        path="RequestPath",
        method="RequestMethod",
        port="RequestPort",
        client="ClientHost ClientAddr",
        time="StartUTC time",
    ),
    # https://caddyserver.com/docs/caddyfile/directives/log
    Product(
        "caddy",
        "request.host request.uri",
        host="request.host",
        path="request.uri",
        method="request.method",
        client="request.client_ip request.remote_ip request.remote_addr",
        time="ts",
    ),
    # https://docs.konghq.com/hub/kong-inc/http-log/
    Product(
        "kong",
        "request.url client_ip",
        url="request.url",
        host="request.headers.host",
        method="request.method",
        client="client_ip",
        time="started_at",
        log_id="request.id",
    ),
    # https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
    Product(
        "envoy",
        "authority path method",
        host="authority",
        path="path",
        method="method",
        client="downstream_remote_address downstream_direct_remote_address x_forwarded_for",
        time="start_time timestamp",
        log_id="request_id",
    ),
    Product(
        "envoy",
        ":authority :path",
        host=":authority",
        path=":path",
        method=":method",
        client="downstream_remote_address",
        time="start_time",
    ),
    Product(
        "envoy",
        "requested_server_name downstream_remote_address",
        host="requested_server_name",
        client="downstream_remote_address",
        time="start_time",
    ),
    # FortiGate and FortiProxy, whose fields a shipper has parsed
    Product(
        "fortigate",
        "logid qname",
        name="qname",
        client="srcip",
        time="eventtime @timestamp",
    ),
    Product(
        "fortigate",
        "logid hostname url",
        url="url",
        host="hostname",
        client="srcip",
        time="eventtime @timestamp",
    ),
    # Splunk's data model, and what many name the parts of a DNS query
    *(
        Product(
            "json",
            f"{name} {kind}",
            name=name,
            client="client client_ip src src_ip source_ip srcip client.ip source.ip",
            time="timestamp @timestamp time ts _time date",
            log_id="id",
        )
        for name in ("query", "domain", "name")
        for kind in ("query_type", "qtype", "record_type", "qtype_name")
    ),
    # Last: of objects with a more exact field, these name the server too.
    Product(
        "ecs",
        "tls.client.server_name",
        host="tls.client.server_name",
        client="source.ip client.ip source.address",
        time="@timestamp",
        log_id="event.id",
    ),
    Product(
        "ecs",
        "destination.domain source.ip",
        never={"event.category": _NO_TRAFFIC, "event.category.0": _NO_TRAFFIC},
        host="destination.domain",
        client="source.ip client.ip source.address",
        time="@timestamp",
        log_id="event.id",
    ),
)
