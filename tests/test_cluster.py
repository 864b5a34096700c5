"""Proof that the cluster of the tests is one: copies on all brokers, a leader that takes over."""

import pytest

from support.records import produce, read_all


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_a_cluster_survives_any_one_broker_and_is_in_sync_again(own_cluster, own_cluster_topics):
    topic = own_cluster_topics(partitions=3)
    servers = own_cluster.bootstrap_servers
    written = []
    for find in (lambda: own_cluster.leader(topic, 0), own_cluster.controller):
        broker = find()
        broker.kill()
        values = [b"without %d, %d" % (broker.node_id, number) for number in range(300)]
        produce(servers, topic, values)
        written += values
        assert own_cluster.leader(topic, 0) is not broker
        assert own_cluster.controller() is not broker
        broker.start()
        own_cluster.wait_until_healthy()
    assert sorted(record.value for record in read_all(servers, topic)) == sorted(written)


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_each_broker_answers_at_its_ipv6_address(cluster, cluster_topics):
    topic = cluster_topics(partitions=3)
    for number, address in enumerate(cluster.ipv6_addresses):
        produce(address, topic, [b"%d" % number])
    assert {record.value for record in read_all(cluster.addresses[2], topic)} == {b"0", b"1", b"2"}
