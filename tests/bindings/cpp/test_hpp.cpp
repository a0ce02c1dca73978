/* SPDX-License-Identifier: MIT
 *
 * test_hpp.cpp: the classes for C++: values, ownership, errors, callbacks; a model fitted
 * through them has the bytes of the one fitted in C.
 * Usage: test_hpp ADULT_CSV C_MODEL_FILE
 */
#include <fstream>
#include <iostream>
#include <ml/algorithms/gbdt.h>
#include <ml/ml.hpp>
#include <sstream>

static int passed, failed;

#define CHECK(ok)                                                                        \
    do {                                                                                 \
        if (ok) {                                                                        \
            passed++;                                                                    \
        } else {                                                                         \
            failed++;                                                                    \
            std::cout << "line " << __LINE__ << ": " << #ok << "\n";                     \
        }                                                                                \
    } while (0)

#define THROWS(status, part, expression)                                                 \
    do {                                                                                 \
        try {                                                                            \
            expression;                                                                  \
            failed++;                                                                    \
            std::cout << "line " << __LINE__ << ": nothing thrown\n";                    \
        } catch (const ml::error &got) {                                                 \
            CHECK(got.code() == (status));                                               \
            CHECK(std::strstr(got.what(), part));                                        \
        }                                                                                \
    } while (0)

static_assert(!std::is_copy_constructible_v<ml::predictor>, "one owner");
static_assert(!std::is_copy_constructible_v<ml::estimator>, "one owner");
static_assert(std::is_copy_constructible_v<ml::model>, "shared");
static_assert(std::is_nothrow_move_constructible_v<ml::model>, "moves");
static_assert(std::is_nothrow_copy_constructible_v<ml::error>, "exceptions copy");

static ml::table small(const ml::context &ctx)
{
    std::vector<double> x{1, 2, 3, 4, 5, 6}, y{3, 5, 7, 9, 11, 13};
    std::vector<std::string> color{"red", "blue", "red", "blue", "red", "blue"};
    return ctx.table("x", x).with(ctx, "y", y).with(ctx, "color", color);
}

static void tables_and_tensors()
{
    ml::context ctx;
    ml::table t = small(ctx);
    CHECK(t.rows() == 6 && t.columns() == 3);
    CHECK(t.column_names()[2] == "color");
    CHECK(t.find("y") == 1 && t.find("z") == -1);
    CHECK(t.str(1, 2) == "blue");
    CHECK(!t.str(99, 2));
    CHECK(t.get_f64(2, 1) == 7);
    ml::table same = t, part = t.slice(1, 3);
    t = ml::table();
    CHECK(!t && same.rows() == 6 && part.rows() == 2);
    CHECK(same.select({"y"}).columns() == 1);
    CHECK(same.take({5, 0}).get_f64(0, 0) == 6);
    auto [train, test] = same.split({{"fraction", 0.5}});
    CHECK(train.rows() + test.rows() == 6);
    THROWS(ML_E_NAME, "nope", same.select({"nope"}));
    ml::tensor m = ctx.tensor(std::vector<float>{1, 2, 3, 4, 5, 6}.data(), {2, 3});
    CHECK(m(1, 2) == 6 && m.shape()[1] == 3 && m.data<float>()[3] == 4);
    THROWS(ML_E_TYPE, "another type", m.data<double>());
    CHECK(ctx.read_tensor(m, {"a", "b", "c"}).get_f64(1, 1) == 5);
    CHECK(ctx.tensor(std::vector<int>{1, 2}).dtype() == ML_DTYPE_I32);
    CHECK(ctx.tensor(std::vector<uint8_t>{1, 2}).dtype() == ML_DTYPE_U8);
}

static void streams()
{
    ml::context ctx;
    std::ostringstream out;
    small(ctx).write_csv_io(ml::to(out));
    CHECK(out.str().substr(0, 10) == "x,y,color\n");
    std::istringstream in(out.str());
    CHECK(ctx.read_csv_io(ml::from(in)).rows() == 6);
    try {
        (void)ctx.read_csv_io([](void *, size_t) -> size_t { throw 42; });
        CHECK(false);
    } catch (int thrown) {
        CHECK(thrown == 42);
    }
    THROWS(ML_E_IO, "cannot open", (void)ctx.read_csv("/nowhere/at/all.csv"));
    THROWS(ML_E_NAME, "delimeter", (void)ctx.read_csv("x.csv", {{"delimeter", ","}}));
}

static void models()
{
    ml::context ctx;
    ml::table t = small(ctx);
    ml::estimator e =
        ctx.estimator("linear_regression", {{"target", "y"}, {"ignore", {"color", "z"}}});
    CHECK(std::string(e.param("ignore")) == "[\"color\", \"z\"]");
    e.set("ignore", std::string("color"));
    ml::model m = e.fit(t);
    ml::predictor p = m.predictor();
    CHECK(std::fabs(p.row({10})[0] - 21) < 1e-9);
    double two[] = {1, 2}, out[2];
    p.rows(two, 2, 1, out);
    CHECK(std::fabs(out[1] - 5) < 1e-9);
    THROWS(ML_E_ARGUMENT, "", p.rows(two, 2, 0, out));
    const int32_t offsets[] = {0, 0, 1}, columns[] = {0};
    const float value[] = {2};
    p.sparse_rows(offsets, columns, value, 2, out);
    CHECK(std::fabs(out[0] - 1) < 1e-9 && std::fabs(out[1] - 5) < 1e-9);
    CHECK(std::fabs(m.predict(t).get_f64(0, 0) - 3) < 1e-9);
    ml::model loaded = ctx.load_bytes(m.bytes());
    CHECK(loaded.bytes() == m.bytes());
    CHECK(loaded.get_tensor("coef")(0) > 1.999);
    CHECK(m.evaluate(t, "rmse").rows() == 1);
    CHECK(std::string(m.param("target")) == "y");
    CHECK(ctx.score("mae", ctx.tensor(std::vector<double>{1, 2}),
                    ctx.tensor(std::vector<double>{2, 4})) == 1.5);
    THROWS(ML_E_FORMAT, "", (void)ctx.load_bytes("no model"));
    m = ml::model();
    CHECK(std::fabs(p.row({4})[0] - 9) < 1e-9);
}

static void errors()
{
    ml::context ctx;
    try {
        (void)ctx.estimator("gbdt", {{"n_tree", 3}});
        CHECK(false);
    } catch (const ml::error &e) {
        CHECK(e.code() == ML_E_NAME);
        CHECK(e.location() == "params.n_tree");
        CHECK(!e.hint().empty() && !e.cause());
    }
    THROWS(ML_E_RANGE, "n_trees", (void)ctx.estimator("gbdt", {{"n_trees", 0}}));
    ml::params set = ctx.params();
    set.set("n_trees", 7).set("eta", 0.25).set("ok", true);
    CHECK(set.integer("n_trees") == 7 && set.real("eta") == 0.25);
    CHECK(set.yaml().find("n_trees: 7") != std::string::npos);
    ml::estimator e = ctx.estimator("gbdt");
    THROWS(ML_E_NAME, "ok", e.set(set));
    CHECK(ml::version() == "0.1.0");
}

static void callbacks()
{
    ml::context ctx;
    ml::table t = small(ctx);
    ml::estimator e =
        ctx.estimator("gbdt", {{"target", "y"}, {"n_trees", 9}, {"min_data_in_leaf", 1}});
    int calls = 0;
    ml::model m = e.fit(t, [&](const ml_progress &p) {
        calls++;
        return p.step >= 3 ? ML_STOP_KEEP : ML_CONTINUE;
    });
    CHECK(calls > 0 && m.get_tensor("n_rounds")(0) < 9);
    try {
        e.fit(t, [](const ml_progress &) -> int { throw std::runtime_error("oh no"); });
        CHECK(false);
    } catch (const std::runtime_error &thrown) {
        CHECK(std::string(thrown.what()) == "oh no");
    }
    THROWS(ML_E_CANCELLED, "", e.fit(t, [](const ml_progress &) { return ML_CANCEL; }));
    ml::cancel token;
    token.request(ML_CANCEL);
    e.set_cancel(&token);
    THROWS(ML_E_CANCELLED, "", e.fit(t));
    e.set_cancel();
    ml::study s = e.study(&t, nullptr, {{"tune", {"learning_rate"}}, {"n_trials", 2}});
    s.run();
    auto [score, best] = s.best_params();
    CHECK(score >= 0 && best.real("learning_rate") > 0);
    CHECK(s.get_table("trials").rows() == 2);
}

/* Through the typed setters, and the same bytes as in C. */
static void same_bytes(const char *csv, const char *c_model)
{
    ml::context ctx;
    ml::table t = ctx.read_csv(csv, {{"max_rows", 2000}});
    ml::model m =
        ctx.estimator("gbdt", {{"target", "income"}, {"n_trees", 10}, {"max_leaves", 8}})
            .fit(t);
    std::ifstream file(c_model, std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    CHECK(bytes.str().size() > 1000 && m.bytes() == bytes.str());
    ml_estimator *made = nullptr;
    CHECK(ml_gbdt_new(ctx.get(), &made, nullptr) == ML_OK);
    ml::estimator e(made);
    CHECK(ml_gbdt_set_target(made, "income", nullptr) == ML_OK);
    CHECK(ml_gbdt_set_n_trees(made, 10, nullptr) == ML_OK);
    CHECK(ml_gbdt_set_max_leaves(made, 8, nullptr) == ML_OK);
    CHECK(ml_gbdt_set_growth(made, ML_GBDT_GROWTH_LEAFWISE, nullptr) == ML_OK);
    CHECK(ml_gbdt_set_growth(made, static_cast<ml_gbdt_growth>(1), nullptr) == ML_OK);
    CHECK(std::string(e.param("growth")) == "depthwise");
    CHECK(ml_gbdt_set_growth(made, ML_GBDT_GROWTH_LEAFWISE, nullptr) == ML_OK);
    CHECK(e.fit(t).bytes() == bytes.str());
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    tables_and_tensors();
    streams();
    models();
    errors();
    callbacks();
    same_bytes(argv[1], argv[2]);
    std::cout << passed << " passed, " << failed << " failed\n";
    return failed != 0;
}
