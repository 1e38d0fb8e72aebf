// `reproduce bench JOB`: one kind of work again and again, timed, for `make bench` to set beside other
// programs that do the same (Tests/Peers/bench.py).

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook
import Tensor

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Times one kind of work on one pair, warm, in one process, and prints JSON.",
    discussion: """
      A job is a JSON file that says what another program could do in the same way: the folder of the model, \
      two recordings, token ids, sites and windows; bench_parts/jobs.py of Tests/Peers writes it. What is \
      printed: the seconds of every repetition, the operations of one (matrix products, two for a \
      multiplication and an addition), the most memory of the process, and what came out, by which both \
      programs can be seen to have done the same.
      """)

  @Argument(help: "The job, a JSON file.") var job: String
  @Option(help: "log-mel, forward, search, map, plain-map or step.") var work: BenchWork
  @Option(help: "How many repetitions are timed, behind one that is not.") var rounds = 5
  @Flag(
    help: """
      Wait for a line of input before each repetition and print its seconds at once, so that two programs can \
      take turns; the end of the input ends it.
      """) var paced = false

  func validate() throws {
    if rounds < 1 { throw ValidationError("--rounds should be above 0") }
  }

  func run() throws {
    let repeated = try work.prepared(for: BenchJob(contentsOf: job))
    var (first, operations): (BenchValues, Double?)
    // Not timed: it is the only one that meets a cold cache, and the one that is counted.
    (first, operations) = try counted(repeated)
    if paced { say(JSON.object(["ready": .bool(true)])) }
    var (seconds, last): ([Double], BenchValues) = ([], first)
    for _ in 0..<rounds {
      if paced { guard readLine() != nil else { break } }
      let (values, cost) = try Cost.timed(repeated)
      seconds.append(cost.seconds)
      last = values
      if paced { say(JSON.object(["seconds": .number(cost.seconds)])) }
    }
    var members: [String: JSON] = [
      "work": .string(work.rawValue), "seconds": .array(seconds.map { .number($0) }),
      // Not what getrusage says: that has the memory of the program that started this one, too.
      "peak_mebibytes": .integer(Int(1024 * FullSize.status("VmHWM:"))),
      "first": first.json, "last": last.json,
    ]
    if let operations { members["operations"] = .number(operations) }
    say(.object(members))
  }

  private func counted(_ body: () throws -> BenchValues) throws -> (BenchValues, Double?) {
    let (values, operations) = try Arithmetic.counted(body)
    return (values, operations > 0 ? operations : nil)
  }

  private func say(_ json: JSON) {
    print(json.compactText)
    fflush(nil)
  }
}

/// What came out of a repetition: numbers by name.
struct BenchValues {
  var numbers: [(name: String, value: Double?)] = []

  init() {}
  init(_ name: String, _ value: Double) { numbers = [(name, value)] }

  var json: JSON {
    .array(
      numbers.map { [.string($0.name), $0.value.map { .number($0) } ?? .null] })
  }
}
