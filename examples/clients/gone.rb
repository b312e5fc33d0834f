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
require 'securerandom'
require 'socket'
require 'uri'

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
  end

  # Another leads the round, or may do so: what was done is not reported.
  class LeadLost < StandardError; end

  # What the work is given: the fence to show where the effect lands, and whether it must stop.
  Lead = Struct.new(:fence, :lost) do
    def lost? = lost
  end

  # A job that was taken.
  Job = Struct.new(:system, :round, :data, :attempt, :fence, :lost) do
    def lost? = lost
  end

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
    query = { lease: lease && "#{(lease * 1000).to_i}ms", wait: wait && "#{(wait * 1000).to_i}ms" }.compact
    status, record = ask('elect', system, round, token: token, query: query, read: 5 + (wait || 0))
    status == 202 ? record['fence'] : nil
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
    asked_at = now
    fence = elect(system, round, lease: lease)
    return false if fence.nil?

    run(Lead.new(fence, false), asked_at, lease, system, round) do |lead|
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
      left = [until_at - now, 0].max
      ms = ([left, 45].min * 1000).to_i
      _, record = ask('rounds', system, round, method: Net::HTTP::Get, query: { wait: "#{ms}ms" }, read: 50 + ms / 1000)
      return record if record['completion']
      return nil if now >= until_at

      sleep 0.2
    end
  end

  # Runs jobs of this worker, one after another, until the block given as stop says so.
  def work(worker, lease: 30.0, stop: -> { false })
    until stop.call
      token = self.class.token
      path = "/api/v1/take/#{escape(worker)}"
      asked_at = now
      status, taken = call(path, token: token, query: { lease: "#{(lease * 1000).to_i}ms", wait: '2s' }, read: 10)
      next if status == 204

      system, round, data, attempt, fence = taken.values_at('system', 'round', 'data', 'attempt', 'fence')
      begin
        run(Job.new(system, round, data, attempt, fence, false), asked_at, lease, system, round) { |job| yield job }
      rescue *FAILURES => e
        warn "#{worker}: #{e.message}"
      end
    end
  end

  def self.token = "#{Socket.gethostname}-#{Process.pid}-#{SecureRandom.hex(8)}"

  private

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
  rescue *FAILURES => e
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
    raise if result.nil?

    # Too large, say: what the server does not keep must not undo the work.
    warn "#{system} #{round}: completed without its result: #{e.message}"
    complete(system, round, fence)
  end

  # Renews every third of the lease while the block runs. Gives up before it can have run out: measured from before the request.
  def kept(lead, asked_at, lease, system, round)
    done = Done.new
    renewing = Thread.new { renew_until(done, lead, asked_at + 0.9 * lease, lease, system, round) }
    yield
  ensure
    done.set
    renewing.join
  end

  def renew_until(done, lead, held_until, lease, system, round)
    pause = lease / 3
    loop do
      return if done.within?([pause, held_until - now].min)

      sent_at = now
      return lead.lost = true if sent_at >= held_until

      begin
        is_held = renew(system, round, lead.fence, patience: 0, read: [held_until - sent_at, lease / 3].min)
        return lead.lost = !done.set? unless is_held

        held_until = sent_at + 0.9 * lease
        pause = lease / 3
      rescue Unanswered, Refused
        pause = lease / 10
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

  # One call, made again with the same token while it is not answered.
  def call(path, method: Net::HTTP::Post, patience: @patience, body: nil, **rest)
    give_up_at = now + patience
    pause = 0.2
    text = body && JSON.generate(body)
    begin
      try(path, method, body: text, **rest)
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
    options = { use_ssl: uri.scheme == 'https', open_timeout: 5, read_timeout: read, max_retries: 0 }
    answer(Net::HTTP.start(uri.host, uri.port, **options) { |http| http.request(request) })
  rescue SystemCallError, IOError, SocketError, Timeout::Error, JSON::ParserError, Net::ProtocolError => e
    raise Unanswered, e.message
  end

  def answer(reply)
    status = reply.code.to_i
    return [status, reply.body.to_s.empty? ? nil : JSON.parse(reply.body)] if status < 300

    problem = begin
      JSON.parse(reply.body.to_s)
    rescue JSON::ParserError
      {}
    end
    is_later = status >= 500 || [408, 429].include?(status)
    raise Unanswered, problem['detail'] || reply.message if problem.fetch('retryable', is_later)

    raise Refused.new(problem['code'], problem['detail'] || reply.message)
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
      raise words[3].delete_prefix('fail:') if words[3].start_with?('fail:')

      left = words[3].to_f
      sleep 0.05 while (left -= 0.05).positive? && !lead.lost?
    end
    puts ran ? 'ran' : 'another has it'
  when 'submit' # SYSTEM ROUND WORKER JSON
    gone.submit(words[0], words[1], words[2], JSON.parse(words[3]))
    ended = gone.wait(words[0], words[1], 60)
    puts "#{ended['state']} #{JSON.generate(ended['completion']['result'])}"
  when 'work' # WORKER: doubles numbers and texts until it is told to end
    stopping = false
    %w[TERM INT].each { |name| Signal.trap(name) { stopping = true } }
    gone.work(words[0], stop: -> { stopping }) do |job|
      raise 'not a number, nor a text' unless job.data.is_a?(Numeric) || job.data.is_a?(String)

      { 'doubled' => job.data * 2, 'fence' => job.fence }
    end
  else
    warn 'usage: gone.rb elect|renew|complete|once|submit|work ...'
    exit 2
  end
end
