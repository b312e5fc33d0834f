import { describe, expect, it } from 'vitest'
import { isPublicAddress } from '../../workers/lib/addresses.ts'
import { parseHostPatterns } from '../../workers/lib/destination.ts'

describe('a public address', () => {
  const PUBLIC = [
    '1.1.1.1',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '169.253.0.1',
    '192.0.1.1',
    '198.17.0.1',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001:830::200e',
    '2001:4860:4860::8888',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2002:808:808::1',
  ]

  it.each(PUBLIC)('is %s', (address) => expect(isPublicAddress(address)).toBe(true))

  const OTHERS = {
    loopback: ['127.0.0.1', '127.255.255.255', '::1', '0:0:0:0:0:0:0:1'],
    unspecified: ['0.0.0.0', '0.1.2.3', '::'],
    private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fd12:3456::1'],
    'link-local': ['169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'febf::1'],
    'site-local': ['fec0::1'],
    'carrier-grade NAT': ['100.64.0.1', '100.127.255.255'],
    multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
    'reserved or broadcast': ['240.0.0.1', '255.255.255.255', '192.0.0.1', '198.18.0.1', '198.19.255.255'],
    documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
    metadata: ['169.254.169.254', '100.100.100.200', '192.0.0.192', '168.63.129.16', 'fd00:ec2::254'],
    'an IPv4-mapped form of one': [
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::FFFF:a00:1',
      '::ffff:169.254.169.254',
    ],
    'a NAT64 form of one': ['64:ff9b::10.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::8.8.8.8'],
    'a 6to4 form of one': ['2002:7f00:1::', '2002:a9fe:a9fe::1', '2002:c0a8:101::1'],
    'another form that carries one': ['::127.0.0.1', '::ffff:0:127.0.0.1', '2001::1', '5f00::1'],
    'no address': ['', 'localhost', '127.1', '2130706433', '0x7f000001', '1.1.1.1.', ' 1.1.1.1', '[::1]'],
  }

  it.each(Object.entries(OTHERS))('is not %s', (_, addresses) => {
    expect(addresses.filter(isPublicAddress)).toEqual([])
  })
})

describe('host patterns', () => {
  it('are written as hosts are in a parsed URL', () => {
    expect(parseHostPatterns('API.example.com, *.Example.org.,bücher.example,[::0:1],10.0.0.1,')).toEqual([
      'api.example.com',
      '*.example.org',
      'xn--bcher-kva.example',
      '[::1]',
      '10.0.0.1',
    ])
  })

  it.each(['', ',', '*', '*.', 'a.example:8080', 'https://a.example', 'a.*.example', 'a b', '[zz]'])(
    'are not "%s"',
    (list) => expect(parseHostPatterns(list)).toBeUndefined(),
  )
})
