#!/usr/bin/env ruby
# frozen_string_literal: true

# gone over HTTP, with nothing but Ruby's standard library. One file: copy it.
#
#   require_relative 'gone'
#   Gone.new('http://gone:8080').once('report', '2026-11-22') { |lead| send_report(lead.fence) }
#
# As a program: gone.rb elect|renew|complete|once|submit|work ..., as at its end.

require 'json'
require 'net/http'
require 'openssl'
require 'securerandom'
require 'socket'
require 'uri'
require 'zlib'

class Gone
  # Nobody could tell; the same call may be made again.
  class Unanswered < StandardError; end

  # The server has answered, and it is no.
  class Refused < StandardError
    attr_reader :code

    def initialize(code, detail)
      super(detail)
      @code = code
    end

    # Refused for good, because another leads or has reported. Anything else says nothing of that.
    def lost? = %w[COMPLETION_REFUSED SUPERSEDED ROUND_FINISHED NOT_LED].include?(code)

    # The server does not keep this result. Anything else, such as a proxy's own page, says nothing of it.
    def unkept? = %w[INVALID_BODY BODY_TOO_LARGE].include?(code)
  end

  # Another leads the round, or may do so: what was done is not reported.
  class LeadLost < StandardError; end

  # Lost where another leads, and from when on that may be so: by the clock, however long a renewal takes.
  module Held
    def lost? = lost || Process.clock_gettime(Process::CLOCK_MONOTONIC) >= held_until
  end
  private_constant :Held

  # What the work is given: the fence to show where the effect lands, and whether it must stop.
  Lead = Struct.new(:fence, :held_until, :lost) { include Held }

  # A job that was taken.
  Job = Struct.new(:system, :round, :data, :attempt, :fence, :held_until, :lost) { include Held }

  # Set once, and waited for.
  class Done
    def initialize
      @mutex = Mutex.new
      @changed = ConditionVariable.new
      @set = false
    end

    def set? = @set

    def set = @mutex.synchronize { @set = true and @changed.broadcast }

    def within?(seconds)
      @mutex.synchronize { @changed.wait(@mutex, seconds) if !@set && seconds.positive? }
      @set
    end
  end
  private_constant :Done

  NO_ANSWER = [
    SystemCallError, IOError, SocketError, Timeout::Error, OpenSSL::SSL::SSLError, Zlib::Error, JSON::ParserError,
    Net::ProtocolError, Net::HTTPBadResponse, Net::HTTPHeaderSyntaxError
  ].freeze
  private_constant :NO_ANSWER

  # What ends the work as failed: also what Ruby does not take for a usual error, such as NotImplementedError.
  FAILURES = [StandardError, ScriptError, SystemStackError].freeze

  # patience: the seconds for which an unanswered call is made again.
  def initialize(url = ENV['GONE_URL'] || 'http://127.0.0.1:8080', key: ENV['GONE_KEY'], patience: 20.0)
    @url = url.chomp('/')
    @key = key
    @patience = patience
  end

  # The fence if this token leads, else nil. The same token is the same candidate.
  def elect(system, round, token: self.class.token, lease: nil, wait: nil)
    ask_to_lead(system, round, token: token, lease: lease, wait: wait)[0]
  end

  # False: you do not lead any more, and must stop.
  def renew(system, round, fence, **limits) = taken?('renew', system, round, fence, **limits)

  # False: another has reported, or leads.
  def complete(system, round, fence, result = nil)
    taken?('complete', system, round, fence, body: result.nil? ? {} : { result: result })
  end

  def fail(system, round, fence, reason)
    said = reason.to_s.empty? ? 'failed without a reason' : cut(reason.to_s)
    taken?('fail', system, round, fence, body: { reason: said })
  end

  # Runs the block if elected: true if it ran, false if another has the round. Renews meanwhile and reports the end.
  def once(system, round, lease: 30.0)
    fence, asked_at = ask_to_lead(system, round, token: self.class.token, lease: lease)
    return false if fence.nil?

    run(Lead.new(fence), asked_at, lease, system, round) do |lead|
      yield lead
      nil
    end
    true
  end

  # Lets one worker run the round, however many submit it. terms: attempts: 3, timeout: '30s', delay: '5m' ...
  def submit(system, round, worker, data = nil, **terms)
    _, record = ask('submit', system, round, body: { worker: worker, data: data, **terms })
    record
  end

  # The round at its end, or nil if the time is up.
  def wait(system, round, seconds = 3600)
    until_at = now + seconds
    loop do
      within = (until_at - now).clamp(0, 45)
      limits = { patience: @patience + within, read: within + 5 }
      _, record = ask('rounds', system, round, method: Net::HTTP::Get, query: { wait: millis(within) }, **limits)
      return record if record['completion']
      return nil if now >= until_at

      sleep 0.2
    end
  end

  # Runs jobs of this worker, one after another, until the block given as stop says so.
  def work(worker, lease: 30.0, stop: -> { false })
    path = "/api/v1/take/#{escape(worker)}"
    query = { lease: millis(lease), wait: '2s' }
    until stop.call
      begin
        status, taken, asked_at = call(path, token: self.class.token, query: query, patience: @patience + 2, read: 7)
        next if status == 204

        system, round = taken.values_at('system', 'round')
        job = Job.new(system, round, *taken.values_at('data', 'attempt', 'fence'))
        run(job, asked_at, lease, system, round) { yield job }
      rescue *FAILURES => e
        warn "#{worker}: #{e.message}"
        sleep 0.5 if [Unanswered, Refused].include?(e.class)
      end
    end
  end

  def self.token = "#{Socket.gethostname}-#{Process.pid}-#{SecureRandom.hex(8)}"

  private

  # The fence, and when the request was sent that was answered: the lease runs from then on, or from later.
  def ask_to_lead(system, round, token:, lease: nil, wait: nil)
    query = { lease: lease && millis(lease), wait: wait && millis(wait) }.compact
    limits = { patience: @patience + (wait || 0), read: 5 + (wait || 0) }
    status, record, sent_at = ask('elect', system, round, token: token, query: query, **limits)
    [status == 202 ? record['fence'] : nil, sent_at]
  end

  def millis(seconds) = "#{(seconds * 1000).to_i}ms"

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  def run(lead, asked_at, lease, system, round, &work)
    result = kept(lead, asked_at, lease, system, round) { result_of(lead, system, round, &work) }
    raise LeadLost, "#{system} #{round}: the lead under fence #{lead.fence} is lost" if lead.lost?
    raise LeadLost, "#{system} #{round}: another has reported" unless completed?(system, round, lead.fence, result)
  end

  # What the work comes to; where it fails that is reported.
  def result_of(lead, system, round)
    result = yield lead
    JSON.generate(result) # what has no JSON is a failure of the work
    result
  rescue SystemExit, *FAILURES => e
    begin
      self.fail(system, round, lead.fence, e.message.empty? ? e.class.name : e.message) unless lead.lost?
    rescue Unanswered, Refused
      # The lease or the deadline ends the round; what the work raised says more.
    end
    raise
  end

  def completed?(system, round, fence, result)
    complete(system, round, fence, result)
  rescue Refused => e
    raise if result.nil? || !e.unkept?

    # What the server does not keep must not undo the work.
    warn "#{system} #{round}: completed without its result: #{e.message}"
    complete(system, round, fence)
  end

  # Renews every third of the lease while the block runs. The lead is given up before that can have run out: measured from before
  # the request.
  def kept(lead, asked_at, lease, system, round)
    done = Done.new
    lead.held_until = asked_at + 0.9 * lease
    Thread.new { renew_until(done, lead, asked_at + lease / 3.0, lease, system, round) }
    yield
  ensure
    done.set
  end

  def renew_until(done, lead, next_at, lease, system, round)
    until done.within?(next_at - now) || lead.lost?
      begin
        sent_at = now
        is_held = renew(system, round, lead.fence, patience: 0, read: lease / 3.0)
        return lead.lost = !done.set? unless is_held

        lead.held_until = sent_at + 0.9 * lease
        next_at = sent_at + lease / 3.0
      rescue StandardError # whatever it is, nobody has said that the lead is lost
        next_at = now + lease / 10.0
      end
    end
  end

  def taken?(verb, system, round, fence, **rest)
    ask(verb, system, round, fence: fence, **rest)
    true
  rescue Refused => e
    raise unless e.lost?

    false
  end

  # To what the server takes, which counts in UTF-16.
  def cut(reason)
    units = reason.encode('UTF-16LE', invalid: :replace, undef: :replace).byteslice(0, 2000)
    units.encode('UTF-8', invalid: :replace, replace: '')
  end

  def ask(verb, system, round, **rest) = call("/api/v1/#{verb}/#{escape(system)}/#{escape(round)}", **rest)

  def escape(name) = URI.encode_www_form_component(name).gsub('+', '%20')

  # One call, made again with the same token while it is not answered: its status and JSON, and when it was sent.
  def call(path, method: Net::HTTP::Post, patience: @patience, body: nil, **rest)
    give_up_at = now + patience
    pause = 0.2
    text = body && JSON.generate(body)
    begin
      sent_at = now
      [*try(path, method, body: text, **rest), sent_at]
    rescue Unanswered
      raise if now + pause >= give_up_at

      sleep pause
      pause = [pause * 2, 2.0].min
      retry
    end
  end

  def try(path, method, token: nil, fence: nil, query: {}, body: nil, read: 5)
    uri = URI("#{@url}#{path}")
    uri.query = URI.encode_www_form(query) unless query.empty?
    request = method.new(uri, 'Accept' => 'application/json')
    request['Authorization'] = "Bearer #{@key}" if @key
    request['Gone-Candidate'] = token if token
    request['Gone-Fence'] = fence.to_s if fence
    # Also of none: Ruby would take it for a form, and say so.
    request['Content-Type'] = 'application/json'
    request.body = body if body
    # max_retries: Ruby would send a request again by itself.
    limits = { open_timeout: [5, read].min, write_timeout: [5, read].min, read_timeout: read, max_retries: 0 }
    give_up_at = now + read
    answer(*Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == 'https', **limits) { |http| whole(http, request, give_up_at) })
  rescue *NO_ANSWER => e
    raise Unanswered, e.message
  end

  # The answer and its text, if all of it is here by then: read_timeout is of each piece.
  def whole(http, request, give_up_at)
    text = String.new
    reply = http.request(request) do |begun|
      begun.read_body do |part|
        raise Unanswered, 'no whole answer in time' if now >= give_up_at

        text << part
      end
    end
    [reply, text]
  end

  def answer(reply, text)
    status = reply.code.to_i
    return [status, text.empty? ? nil : JSON.parse(text)] if status < 300

    problem = begin
      JSON.parse(text)
    rescue JSON::ParserError
      nil
    end
    problem = {} unless problem.is_a?(Hash) # a page of a proxy
    is_later = status >= 500 || [408, 429].include?(status)
    raise Unanswered, problem['detail'] || reply.message if problem.fetch('retryable', is_later)

    # A proxy in between that takes no such body says the status alone.
    raise Refused.new(problem['code'] || ('BODY_TOO_LARGE' if status == 413), problem['detail'] || reply.message)
  end
end

if $PROGRAM_NAME == __FILE__
  gone = Gone.new
  verb, *words = ARGV
  case verb
  when 'elect' # SYSTEM ROUND TOKEN LEASE
    fence = gone.elect(words[0], words[1], token: words[2], lease: words[3].to_f)
    puts fence ? "leads #{fence}" : 'lost'
  when 'renew' # SYSTEM ROUND FENCE
    puts gone.renew(words[0], words[1], words[2].to_i) ? 'renewed' : 'not renewed'
  when 'complete' # SYSTEM ROUND FENCE JSON
    puts gone.complete(words[0], words[1], words[2].to_i, JSON.parse(words[3])) ? 'recorded' : 'refused'
  when 'once' # SYSTEM ROUND LEASE SECONDS
    ran = gone.once(words[0], words[1], lease: words[2].to_f) do |lead|
      puts "under #{lead.fence}"
      $stdout.flush
      raise NotImplementedError, 'told to panic' if words[3] == 'panic'
      abort 'told to exit' if words[3] == 'exit'
      raise words[3].delete_prefix('fail:') if words[3].start_with?('fail:')

      left = words[3].to_f
      sleep 0.05 while (left -= 0.05).positive? && !lead.lost?
    end
    puts ran ? 'ran' : 'another has it'
  when 'submit' # SYSTEM ROUND WORKER JSON
    gone.submit(words[0], words[1], words[2], JSON.parse(words[3]))
    ended = gone.wait(words[0], words[1], 60)
    puts "#{ended['state']} #{JSON.generate(ended['completion']['result'])}"
  when 'work' # WORKER [LEASE SECONDS]: doubles numbers and texts until it is told to end
    stopping = false
    %w[TERM INT].each { |name| Signal.trap(name) { stopping = true } }
    lease, takes = words.length > 1 ? words[1..].map(&:to_f) : [30.0, 0.0]
    gone.work(words[0], lease: lease, stop: -> { stopping }) do |job|
      left = takes
      sleep 0.05 while (left -= 0.05).positive? && !job.lost?
      raise 'not a number, nor a text' unless job.data.is_a?(Numeric) || job.data.is_a?(String)

      { 'doubled' => job.data * 2, 'fence' => job.fence }
    end
  else
    warn 'usage: gone.rb elect|renew|complete|once|submit|work ...'
    exit 2
  end
end
