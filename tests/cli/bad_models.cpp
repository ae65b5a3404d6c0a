// Writes models that no compiler can accept, each with what the error must say.
//
//   bad_models FOLDER     ->  FOLDER/NAME.onnx, FOLDER/NAME.expect (a line is text that stderr has)
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>

#include "onnx/onnx.pb.h"

namespace {

using onnx::GraphProto;
using onnx::ModelProto;
using onnx::NodeProto;
using onnx::TensorProto;
using Sizes = std::vector<int64_t>;

// ---- Building

onnx::ValueInfoProto* Declare(onnx::ValueInfoProto* value, const std::string& name, int type,
                              const Sizes& shape) {
  value->set_name(name);
  auto* tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  tensor->mutable_shape();
  for (int64_t size : shape) tensor->mutable_shape()->add_dim()->set_dim_value(size);
  return value;
}

void AddInput(ModelProto& model, const std::string& name, const Sizes& shape,
              int type = TensorProto::FLOAT) {
  Declare(model.mutable_graph()->add_input(), name, type, shape);
}

void AddOutput(ModelProto& model, const std::string& name) {
  Declare(model.mutable_graph()->add_output(), name, TensorProto::FLOAT, {})
      ->mutable_type()
      ->mutable_tensor_type()
      ->clear_shape();
}

NodeProto& AddNode(GraphProto& graph, const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs) {
  NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  node.set_name(op + "_" + std::to_string(graph.node_size()));
  for (const auto& name : inputs) node.add_input(name);
  for (const auto& name : outputs) node.add_output(name);
  return node;
}

void SetInt(NodeProto& node, const std::string& name, int64_t value) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

void SetInts(NodeProto& node, const std::string& name, const Sizes& values) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values) attribute->add_ints(value);
}

void SetString(NodeProto& node, const std::string& name, const std::string& value) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::STRING);
  attribute->set_s(value);
}

// A weight of ones; its elements are left out if `count` says fewer.
TensorProto& AddWeight(ModelProto& model, const std::string& name, const Sizes& shape,
                       int64_t count) {
  TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(TensorProto::FLOAT);
  for (int64_t size : shape) tensor.add_dims(size);
  for (int64_t i = 0; i < count; ++i) tensor.add_float_data(1);
  return tensor;
}

TensorProto& AddIntegers(ModelProto& model, const std::string& name, const Sizes& values) {
  TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (int64_t value : values) tensor.add_int64_data(value);
  return tensor;
}

void SetExternal(TensorProto& tensor,
                 const std::vector<std::pair<std::string, std::string>>& entries) {
  tensor.set_data_location(TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto* entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

// A model with nothing in it but its opset.
ModelProto Empty(int64_t opset = 17) {
  ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(opset);
  model.mutable_graph()->set_name("bad");
  return model;
}

// x of this shape -> one node -> y.
ModelProto OneNode(const std::string& op, const Sizes& shape,
                   const std::function<void(ModelProto&, NodeProto&)>& change = {},
                   int64_t opset = 17) {
  ModelProto model = Empty(opset);
  AddInput(model, "x", shape);
  AddOutput(model, "y");
  NodeProto node = AddNode(*model.mutable_graph(), op, {"x"}, {"y"});
  model.mutable_graph()->clear_node();
  if (change) change(model, node);
  *model.mutable_graph()->add_node() = node;
  return model;
}

// ---- The cases

struct Case {
  std::string name;
  ModelProto model;
  std::vector<std::string> expect;
};

void AddStructure(std::vector<Case>& cases) {
  ModelProto cycle = Empty();
  AddInput(cycle, "x", {2});
  AddOutput(cycle, "b");
  AddNode(*cycle.mutable_graph(), "Add", {"x", "b"}, {"a"});
  AddNode(*cycle.mutable_graph(), "Relu", {"a"}, {"b"});
  cases.push_back({"cycle", cycle, {"cycle"}});

  ModelProto itself = OneNode("Relu", {2}, [](auto&, NodeProto& node) { node.set_input(0, "y"); });
  cases.push_back({"cycle_of_one", itself, {"cycle"}});

  ModelProto undefined =
      OneNode("Relu", {2}, [](auto&, NodeProto& node) { node.set_input(0, "nowhere"); });
  cases.push_back({"undefined_operand", undefined, {"\"nowhere\"", "Relu_1"}});

  ModelProto missing_output =
      OneNode("Relu", {2}, [](auto&, NodeProto& node) { node.set_output(0, "z"); });
  cases.push_back({"output_not_produced", missing_output, {"\"y\""}});

  ModelProto no_output = OneNode("Relu", {2});
  no_output.mutable_graph()->clear_output();
  cases.push_back({"no_output", no_output, {"output"}});

  ModelProto twice = OneNode("Relu", {2});
  AddNode(*twice.mutable_graph(), "Abs", {"x"}, {"y"});
  cases.push_back({"defined_twice", twice, {"\"y\" is defined twice"}});

  ModelProto two_inputs = OneNode("Relu", {2});
  AddInput(two_inputs, "x", {3});
  cases.push_back({"inputs_named_alike", two_inputs, {"two inputs are named \"x\""}});

  ModelProto two_outputs = OneNode("Relu", {2});
  AddOutput(two_outputs, "y");
  cases.push_back({"outputs_named_alike", two_outputs, {"two outputs are named \"y\""}});

  ModelProto no_opset = OneNode("Relu", {2});
  no_opset.clear_opset_import();
  cases.push_back({"no_opset", no_opset, {"opset"}});
  cases.push_back({"old_opset", OneNode("Relu", {2}, {}, 1), {"older than"}});

  ModelProto no_operand = OneNode("Relu", {2}, [](auto&, NodeProto& node) { node.clear_input(); });
  cases.push_back({"operand_missing", no_operand, {"operand 0 is missing"}});

  // All that is unsupported is said at once.
  ModelProto unsupported = OneNode("Relu", {2});
  for (int i = 0; i < 3; ++i) {
    AddNode(*unsupported.mutable_graph(), "Imaginary" + std::to_string(i), {"x"},
            {"u" + std::to_string(i)});
  }
  cases.push_back(
      {"unsupported",
       unsupported,
       {"3 nodes cannot be compiled", "Imaginary0", "Imaginary1", "Imaginary2", "not supported"}});

  ModelProto domain =
      OneNode("Relu", {2}, [](auto&, NodeProto& node) { node.set_domain("com.example"); });
  cases.push_back({"unknown_domain", domain, {"com.example.Relu"}});
}

void AddTypes(std::vector<Case>& cases) {
  ModelProto types = OneNode("Add", {2}, [](ModelProto& model, NodeProto& node) {
    AddInput(model, "n", {2}, TensorProto::INT64);
    node.add_input("n");
  });
  cases.push_back({"types_differ", types, {"Add_1"}});

  ModelProto shapes = OneNode("Add", {2, 3}, [](ModelProto& model, NodeProto& node) {
    AddInput(model, "n", {4, 5});
    node.add_input("n");
  });
  cases.push_back({"shapes_do_not_broadcast", shapes, {"Add_1"}});

  ModelProto matmul = OneNode("MatMul", {2, 3}, [](ModelProto& model, NodeProto& node) {
    AddWeight(model, "w", {4, 5}, 20);
    node.add_input("w");
  });
  cases.push_back({"matmul_sizes", matmul, {"MatMul_1"}});

  auto conv = [](const Sizes& weight, const std::string& attribute, const Sizes& values) {
    return OneNode("Conv", {1, 3, 8, 8}, [&](ModelProto& model, NodeProto& node) {
      int64_t count = 1;
      for (int64_t size : weight) count *= size;
      AddWeight(model, "w", weight, count);
      node.add_input("w");
      if (attribute == "group") SetInt(node, attribute, values[0]);
      if (!attribute.empty() && attribute != "group") SetInts(node, attribute, values);
    });
  };
  cases.push_back({"conv_channels", conv({4, 5, 3, 3}, "", {}), {"Conv_1"}});
  cases.push_back({"conv_rank", conv({4, 3}, "", {}), {"Conv_1"}});
  cases.push_back({"conv_kernel_too_large", conv({4, 3, 12, 12}, "", {}), {"Conv_1"}});
  cases.push_back({"conv_group_0", conv({4, 3, 3, 3}, "group", {0}), {"Conv_1"}});
  cases.push_back({"conv_group_negative", conv({4, 3, 3, 3}, "group", {-3}), {"Conv_1"}});
  cases.push_back({"conv_strides_0", conv({4, 3, 3, 3}, "strides", {0, 0}), {"Conv_1"}});
  cases.push_back({"conv_strides_count", conv({4, 3, 3, 3}, "strides", {1, 1, 1}), {"Conv_1"}});
  cases.push_back({"conv_dilations_0", conv({4, 3, 3, 3}, "dilations", {0, 0}), {"Conv_1"}});
  cases.push_back({"conv_pads_count", conv({4, 3, 3, 3}, "pads", {1}), {"Conv_1"}});
  cases.push_back(
      {"conv_pads_absurd", conv({4, 3, 3, 3}, "pads", {INT64_MAX, 1, 1, 1}), {"Conv_1"}});
  cases.push_back({"conv_pads_negative", conv({4, 3, 3, 3}, "pads", {-9, -9, -9, -9}), {"Conv_1"}});

  auto with_integers = [](const std::string& op, const Sizes& shape, const Sizes& values) {
    return OneNode(op, shape, [&](ModelProto& model, NodeProto& node) {
      AddIntegers(model, "n", values);
      node.add_input("n");
    });
  };
  cases.push_back({"reshape_count", with_integers("Reshape", {2, 3}, {4, 5}), {"Reshape_1"}});
  cases.push_back(
      {"reshape_two_unknown", with_integers("Reshape", {2, 3}, {-1, -1}), {"Reshape_1"}});
  cases.push_back({"reshape_negative", with_integers("Reshape", {2, 3}, {-7}), {"Reshape_1"}});
  cases.push_back({"expand_absurd",
                   with_integers("Expand", {1}, {int64_t{1} << 40, int64_t{1} << 40}),
                   {"Expand_1"}});
  cases.push_back({"expand_negative", with_integers("Expand", {1}, {-4}), {"Expand_1"}});
  cases.push_back({"tile_absurd", with_integers("Tile", {2}, {INT64_MAX}), {"Tile_1"}});
  cases.push_back({"tile_negative", with_integers("Tile", {2}, {-1}), {"Tile_1"}});
  cases.push_back({"pad_absurd", with_integers("Pad", {2}, {INT64_MAX, INT64_MAX}), {"Pad_1"}});
  cases.push_back({"pad_negative", with_integers("Pad", {2}, {-5, -5}), {"Pad_1"}});
  cases.push_back({"pad_count", with_integers("Pad", {2}, {1, 1, 1}), {"Pad_1"}});
  cases.push_back({"unsqueeze_axis", with_integers("Unsqueeze", {2}, {7}), {"Unsqueeze_1"}});
  cases.push_back({"squeeze_size", with_integers("Squeeze", {2}, {0}), {"Squeeze_1"}});
  cases.push_back({"gather_axis",
                   OneNode("Gather", {2},
                           [](ModelProto& model, NodeProto& node) {
                             AddIntegers(model, "n", {0});
                             node.add_input("n");
                             SetInt(node, "axis", 5);
                           }),
                   {"Gather_1"}});
  cases.push_back({"slice_step_0",
                   OneNode("Slice", {8},
                           [](ModelProto& model, NodeProto& node) {
                             for (const char* name : {"starts", "ends", "axes", "steps"}) {
                               AddIntegers(model, name, {0});
                               node.add_input(name);
                             }
                           }),
                   {"Slice_1"}});
  cases.push_back(
      {"transpose_order",
       OneNode("Transpose", {2, 3}, [](auto&, NodeProto& node) { SetInts(node, "perm", {0, 0}); }),
       {"Transpose_1"}});
  cases.push_back(
      {"transpose_axis",
       OneNode("Transpose", {2, 3}, [](auto&, NodeProto& node) { SetInts(node, "perm", {0, 9}); }),
       {"Transpose_1"}});
  cases.push_back(
      {"softmax_axis",
       OneNode("Softmax", {2, 3}, [](auto&, NodeProto& node) { SetInt(node, "axis", 4); }),
       {"Softmax_1"}});
  cases.push_back(
      {"concat_axis",
       OneNode("Concat", {2, 3}, [](auto&, NodeProto& node) { SetInt(node, "axis", -9); }),
       {"Concat_1"}});
  cases.push_back(
      {"flatten_axis",
       OneNode("Flatten", {2, 3}, [](auto&, NodeProto& node) { SetInt(node, "axis", 77); }),
       {"Flatten_1"}});
  cases.push_back(
      {"reduce_axis",
       OneNode("ReduceMax", {2, 3}, [](auto&, NodeProto& node) { SetInts(node, "axes", {5}); }),
       {"ReduceMax_1"}});
  cases.push_back({"pool_kernel_0",
                   OneNode("MaxPool", {1, 1, 4, 4},
                           [](auto&, NodeProto& node) { SetInts(node, "kernel_shape", {0, 0}); }),
                   {"MaxPool_1"}});
  cases.push_back({"pool_kernel_missing", OneNode("MaxPool", {1, 1, 4, 4}), {"MaxPool_1"}});
  cases.push_back({"cast_type",
                   OneNode("Cast", {2}, [](auto&, NodeProto& node) { SetInt(node, "to", 999); }),
                   {"Cast_1"}});
  cases.push_back({"einsum_equation",
                   OneNode("Einsum", {2, 3},
                           [](auto&, NodeProto& node) { SetString(node, "equation", "i->->j,,"); }),
                   {"Einsum_1"}});
  cases.push_back({"einsum_rank",
                   OneNode("Einsum", {2, 3},
                           [](auto&, NodeProto& node) { SetString(node, "equation", "ijk->k"); }),
                   {"Einsum_1"}});
  cases.push_back(
      {"attribute_type",
       OneNode("Softmax", {2, 3}, [](auto&, NodeProto& node) { SetString(node, "axis", "last"); }),
       {"Softmax_1"}});
  auto with_index = [](const std::string& op, const Sizes& values) {
    return OneNode(op, {4, 3}, [&](ModelProto& model, NodeProto& node) {
      TensorProto& index = AddIntegers(model, "n", values);
      if (op != "Gather") {
        index.clear_dims();
        index.add_dims(1);  // of rank 2, as x
        index.add_dims(static_cast<int64_t>(values.size()));
      }
      node.add_input("n");
    });
  };
  const char* outside = "is outside dimension";
  cases.push_back({"gather_index", with_index("Gather", {0, 7}), {"Gather_1", "index 7", outside}});
  cases.push_back({"gather_below", with_index("Gather", {-5}), {"Gather_1", "index -5", outside}});
  cases.push_back({"gather_elements_index",
                   with_index("GatherElements", {1, 4, 0}),
                   {"GatherElements_1", "index 4", outside}});
  cases.push_back({"gather_nd_index",
                   with_index("GatherND", {3, 3}),
                   {"GatherND_1", "index 3 is outside dimension 1"}});

  auto split = [](int64_t size, size_t parts, int64_t opset, const Sizes& sizes = {}) {
    return OneNode(
        "Split", {size},
        [&](ModelProto& model, NodeProto& node) {
          for (size_t i = 1; i < parts; ++i) node.add_output("y" + std::to_string(i));
          if (!sizes.empty()) {
            AddIntegers(model, "n", sizes);
            node.add_input("n");
          } else if (opset >= 18) {
            SetInt(node, "num_outputs", static_cast<int64_t>(parts));
          }
        },
        opset);
  };
  cases.push_back({"split_5_in_4", split(5, 4, 18), {"Split_1", "5 cannot be split into 4 parts"}});
  cases.push_back(
      {"split_7_equally", split(7, 3, 13), {"Split_1", "7 cannot be split into 3 equal parts"}});
  cases.push_back({"split_sum", split(5, 2, 13, {2, 2}), {"Split_1", "the parts make 4"}});
  cases.push_back({"split_results", split(5, 2, 13, {5}), {"Split_1", "2 results", "1 parts"}});
  cases.push_back({"split_below", split(5, 2, 13, {7, -2}), {"Split_1", "the size -2"}});
  ModelProto nameless = split(5, 2, 13, {2, 3});
  nameless.mutable_graph()->mutable_node(0)->set_output(0, "");
  nameless.mutable_graph()->mutable_output(0)->set_name("y1");
  cases.push_back({"split_nameless", nameless, {"Split_1", "part 0 has no name"}});

  auto with_weights = [](const std::string& op, const std::vector<Sizes>& weights, int64_t opset) {
    return OneNode(
        op, {1, 4, 3},
        [&](ModelProto& model, NodeProto& node) {
          for (const Sizes& shape : weights) {
            int64_t count = 1;
            for (int64_t size : shape) count *= size;
            std::string name = "w" + std::to_string(node.input_size());
            AddWeight(model, name, shape, count);
            node.add_input(name);
          }
          if (op == "GroupNormalization") SetInt(node, "num_groups", 2);
        },
        opset);
  };
  cases.push_back({"group_normalization_scale",
                   with_weights("GroupNormalization", {{4}, {4}}, 18),
                   {"GroupNormalization_1", "the scale is f32[4]", "each group"}});
  cases.push_back({"group_normalization_bias",
                   with_weights("GroupNormalization", {{4}, {2}}, 21),
                   {"GroupNormalization_1", "the bias is f32[2]", "each channel"}});
  cases.push_back({"instance_normalization_scale",
                   with_weights("InstanceNormalization", {{3}, {4}}, 17),
                   {"InstanceNormalization_1", "the scale is f32[3]"}});
  cases.push_back({"batch_normalization_variance",
                   with_weights("BatchNormalization", {{4}, {4}, {4}, {1}}, 17),
                   {"BatchNormalization_1", "the variance is f32[1]"}});
  cases.push_back({"layer_normalization_scale",
                   with_weights("LayerNormalization", {{4}}, 17),
                   {"LayerNormalization_1", "the scale is f32[4]"}});
  cases.push_back(
      {"conv_bias", with_weights("Conv", {{2, 4, 1}, {3}}, 17), {"Conv_1", "the bias is f32[3]"}});
  cases.push_back({"depth_to_space",
                   OneNode("DepthToSpace", {1, 3, 2, 2},
                           [](auto&, NodeProto& node) { SetInt(node, "blocksize", 2); }),
                   {"DepthToSpace_1"}});
}

void AddSizes(std::vector<Case>& cases) {
  constexpr int64_t kHuge = int64_t{1} << 40;
  cases.push_back({"input_absurd", OneNode("Relu", {kHuge, kHuge}), {"absurd"}});
  cases.push_back({"input_too_large", OneNode("Relu", {1024, 1024, 1024}), {"GiB"}});
  // Each fits, all together do not.
  ModelProto many = OneNode("Relu", {400, 1024, 1024});
  for (const char* op : {"Abs", "Neg"}) {
    AddNode(*many.mutable_graph(), op, {"x"}, {op});
    AddOutput(many, op);
  }
  cases.push_back({"activations_too_large", many, {"GiB", "wasm has 4 GiB"}});
  auto weight = [](const Sizes& shape, int64_t count) {
    return OneNode("Add", {1}, [&](ModelProto& model, NodeProto& node) {
      AddWeight(model, "w", shape, count);
      node.add_input("w");
    });
  };
  cases.push_back({"weight_absurd", weight({kHuge, kHuge}, 1), {"\"w\"", "absurd"}});
  cases.push_back({"weight_huge", weight({kHuge}, 1), {"\"w\""}});
  cases.push_back({"weight_negative", weight({-4}, 4), {"\"w\"", "negative"}});
  cases.push_back({"weight_short", weight({4}, 3), {"\"w\"", "3 elements"}});
  cases.push_back({"weight_long", weight({4}, 5), {"\"w\"", "5 elements"}});

  ModelProto constant = Empty();
  AddIntegers(constant, "shape", {kHuge, kHuge});
  AddNode(*constant.mutable_graph(), "ConstantOfShape", {"shape"}, {"y"});
  AddOutput(constant, "y");
  cases.push_back({"constant_absurd", constant, {"ConstantOfShape_1"}});

  ModelProto raw = weight({4}, 0);
  raw.mutable_graph()->mutable_initializer(0)->set_raw_data("123");
  cases.push_back({"weight_raw_short", raw, {"\"w\"", "3 bytes"}});

  ModelProto strings = weight({4}, 4);
  strings.mutable_graph()->mutable_initializer(0)->set_data_type(TensorProto::STRING);
  cases.push_back({"weight_of_strings", strings, {"\"w\"", "string"}});

  ModelProto text = OneNode("Relu", {2});
  text.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      TensorProto::STRING);
  cases.push_back({"input_of_strings", text, {"\"x\"", "string"}});

  ModelProto sequence = OneNode("Relu", {2});
  sequence.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type();
  cases.push_back({"input_is_a_sequence", sequence, {"\"x\" is not a tensor"}});

  ModelProto shapeless = OneNode("Relu", {2});
  shapeless.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  cases.push_back({"input_without_shape", shapeless, {"--input x:SHAPE"}});
}

void AddExternal(std::vector<Case>& cases) {
  auto external = [](const std::vector<std::pair<std::string, std::string>>& entries) {
    return OneNode("Add", {4}, [&](ModelProto& model, NodeProto& node) {
      SetExternal(AddWeight(model, "w", {4}, 0), entries);
      node.add_input("w");
    });
  };
  cases.push_back(
      {"external_missing", external({{"location", "nothing.bin"}}), {"\"w\"", "nothing.bin"}});
  cases.push_back(
      {"external_short", external({{"location", "short.bin"}}), {"\"w\"", "short.bin"}});
  cases.push_back({"external_offset",
                   external({{"location", "short.bin"}, {"offset", "99999999999"}}),
                   {"\"w\"", "short.bin"}});
  cases.push_back({"external_offset_text",
                   external({{"location", "short.bin"}, {"offset", "far"}}),
                   {"\"w\"", "offset"}});
  cases.push_back({"external_length",
                   external({{"location", "short.bin"}, {"length", "3"}}),
                   {"\"w\"", "3 bytes"}});
  cases.push_back({"external_outside",
                   external({{"location", "../../etc/passwd"}}),
                   {"\"w\"", "not a path inside"}});
  cases.push_back({"external_absolute",
                   external({{"location", "/etc/passwd"}}),
                   {"\"w\"", "not a path inside"}});
  cases.push_back({"external_nowhere", external({}), {"\"w\""}});
  cases.push_back({"external_folder", external({{"location", "."}}), {"\"w\""}});
}

// Makes the graph of one node that reads x this attribute.
NodeProto& SetBody(NodeProto& node, const std::string& name, const std::string& op) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::GRAPH);
  GraphProto& body = *attribute->mutable_g();
  body.set_name(name);
  body.add_output()->set_name("z");
  return AddNode(body, op, {"x"}, {"z"});
}

// A branch of a condition that is constant, and of one that is data.
ModelProto Branching(const std::string& op, bool is_known) {
  ModelProto model = Empty();
  AddInput(model, "x", {2});
  AddInput(model, "c", {}, TensorProto::BOOL);
  TensorProto& known = *model.mutable_graph()->add_initializer();
  known.set_name("known");
  known.set_data_type(TensorProto::BOOL);
  known.add_int32_data(1);
  AddOutput(model, "y");
  NodeProto& node = AddNode(*model.mutable_graph(), "If", {is_known ? "known" : "c"}, {"y"});
  SetBody(node, "then_branch", op);
  SetBody(node, "else_branch", "Relu");
  return model;
}

// Carries x through a loop whose body is one node; operands are the number of iterations and the
// condition, "" for none.
ModelProto Looping(const std::string& op, const std::string& trips, const std::string& condition) {
  ModelProto model = Empty();
  AddInput(model, "x", {2});
  AddInput(model, "c", {}, TensorProto::BOOL);
  AddOutput(model, "y");
  NodeProto& node = AddNode(*model.mutable_graph(), "Loop", {trips, condition, "x"}, {"y"});
  SetBody(node, "body", op);
  GraphProto& body = *node.mutable_attribute(0)->mutable_g();
  for (const char* name : {"i", "goes_on", "before"}) body.add_input()->set_name(name);
  body.mutable_node(0)->set_input(0, "before");
  body.mutable_output(0)->set_name("goes_on");
  body.add_output()->set_name("z");
  return model;
}

void AddLoops(std::vector<Case>& cases) {
  cases.push_back({"loop_of_another_type",
                   Looping("Shape", "", "c"),
                   {"(Loop", "\"before\"", "f32[2] before an iteration and i64[1] behind it"}});
  cases.push_back({"loop_without_end", Looping("Relu", "", ""), {"(Loop", "never ends"}});
  cases.push_back({"loop_of_float_trips",
                   Looping("Relu", "x", "c"),
                   {"(Loop", "the number of iterations is f32[2]"}});
  ModelProto bare = Looping("Relu", "", "c");
  bare.mutable_graph()->mutable_node(0)->clear_attribute();
  cases.push_back({"loop_without_body", bare, {"(Loop", "attribute body is missing"}});
  ModelProto scan = Looping("Relu", "", "c");
  AddInput(scan, "w", {3});
  NodeProto& node = *scan.mutable_graph()->mutable_node(0);
  node.set_op_type("Scan");
  node.clear_input();
  for (const char* name : {"x", "w"}) node.add_input(name);
  auto* count = node.add_attribute();
  count->set_name("num_scan_inputs");
  count->set_type(onnx::AttributeProto::INT);
  count->set_i(2);
  cases.push_back({"scan_of_two_lengths", scan, {"(Scan", "2 and 3 elements"}});
  count->set_i(3);
  cases.push_back({"scan_of_too_many", scan, {"(Scan", "num_scan_inputs is 3"}});
}

void AddSequences(std::vector<Case>& cases) {
  cases.push_back({"sequence_of_two_types",
                   OneNode("SequenceConstruct", {2},
                           [](ModelProto& model, NodeProto& node) {
                             AddNode(*model.mutable_graph(), "Shape", {"x"}, {"s"});
                             node.add_input("s");
                           }),
                   {"its elements are of f32 and of i64"}});
  cases.push_back({"tensor_as_sequence",
                   OneNode("SequenceLength", {2}),
                   {"(SequenceLength", "operand 0 is f32[2], not a sequence"}});
  cases.push_back({"sequence_as_operand",
                   OneNode("Relu", {2},
                           [](ModelProto& model, NodeProto& node) {
                             AddNode(*model.mutable_graph(), "SequenceConstruct", {"x"}, {"s"});
                             node.set_input(0, "s");
                           }),
                   {"(Relu", "operand 0 is a sequence or an optional"}});
  cases.push_back({"optional_without_element",
                   OneNode("OptionalGetElement", {2},
                           [](ModelProto& model, NodeProto& node) {
                             AddNode(*model.mutable_graph(), "Optional", {}, {"s"});
                             node.set_input(0, "s");
                           }),
                   {"(OptionalGetElement", "has no element"}});
}

void AddBodies(std::vector<Case>& cases) {
  cases.push_back({"branches_of_two_types",
                   Branching("Shape", false),
                   {"(If", "i64[1] in then_branch and f32[2] in else_branch"}});
  ModelProto uneven = Branching("Relu", false);
  uneven.mutable_graph()->mutable_node(0)->mutable_attribute(1)->mutable_g()->clear_output();
  cases.push_back({"branches_of_other_outputs", uneven, {"(If", "have 1 and 0 outputs"}});
  cases.push_back({"branch_of_unknown_operator",
                   Branching("Nothing", true),
                   {"(If", "then_branch", "Nothing", "not supported"}});
  ModelProto wrong = Branching("Relu", true);
  auto& attribute = *wrong.mutable_graph()->mutable_node(0)->mutable_attribute(0);
  attribute.mutable_g()->mutable_node(0)->set_input(0, "nowhere");
  cases.push_back({"branch_reads_nothing", wrong, {"\"nowhere\"", "nothing defines"}});
  attribute.mutable_g()->mutable_node(0)->set_input(0, "a");
  attribute.mutable_g()->add_input()->set_name("a");
  cases.push_back({"branch_takes_inputs", wrong, {"takes 1 inputs, not 0"}});
  // A function whose branch calls the function.
  ModelProto recursion = Branching("f", true);
  auto* opset = recursion.add_opset_import();
  opset->set_domain("own");
  opset->set_version(1);
  NodeProto call = recursion.graph().node(0);
  call.mutable_attribute(0)->mutable_g()->mutable_node(0)->set_domain("own");
  *recursion.mutable_graph()->mutable_node(0) = call;
  auto* function = recursion.add_functions();
  function->set_domain("own");
  function->set_name("f");
  function->add_input("x");
  function->add_output("y");
  *function->add_opset_import() = recursion.opset_import(0);
  *function->add_opset_import() = *opset;
  NodeProto& constant = *function->add_node();
  constant.set_op_type("Constant");
  constant.add_output("known");
  auto* value = constant.add_attribute();
  value->set_name("value");
  value->set_type(onnx::AttributeProto::TENSOR);
  *value->mutable_t() = recursion.graph().initializer(0);
  *function->add_node() = call;
  cases.push_back({"branch_calls_its_function", recursion, {"nested too deep"}});
}

void AddNesting(std::vector<Case>& cases) {
  // Functions that call each other: f0 calls f1 twice, f1 calls f2 twice, ...
  ModelProto doubling = OneNode("f0", {2}, [](auto&, NodeProto& node) { node.set_domain("own"); });
  auto* opset = doubling.add_opset_import();
  opset->set_domain("own");
  opset->set_version(1);
  constexpr int kDepth = 40;
  for (int i = 0; i <= kDepth; ++i) {
    auto* function = doubling.add_functions();
    function->set_domain("own");
    function->set_name("f" + std::to_string(i));
    function->add_input("a");
    function->add_output("c");
    *function->add_opset_import() = doubling.opset_import(0);
    *function->add_opset_import() = *opset;
    for (const auto& [from, to] : {std::pair{"a", "b"}, {"b", "c"}}) {
      NodeProto& node = *function->add_node();
      node.set_op_type(i == kDepth ? "Relu" : "f" + std::to_string(i + 1));
      if (i < kDepth) node.set_domain("own");
      node.add_input(from);
      node.add_output(to);
    }
  }
  cases.push_back({"functions_doubling", doubling, {"40,000 calls of functions"}});

  ModelProto recursion = doubling;
  recursion.clear_functions();
  *recursion.add_functions() = doubling.functions(0);
  recursion.mutable_functions(0)->mutable_node(0)->set_op_type("f0");
  recursion.mutable_functions(0)->mutable_node(1)->set_op_type("f0");
  cases.push_back({"function_calls_itself", recursion, {"calls itself"}});

  // Graphs in graphs, deeper than protobuf reads.
  GraphProto inner;
  AddNode(inner, "Relu", {"x"}, {"z"});
  for (int i = 0; i < 200; ++i) {
    GraphProto outer;
    NodeProto& node = AddNode(outer, "If", {"x"}, {"z"});
    auto* attribute = node.add_attribute();
    attribute->set_name("then_branch");
    attribute->set_type(onnx::AttributeProto::GRAPH);
    *attribute->mutable_g() = std::move(inner);
    inner = std::move(outer);
  }
  ModelProto deep = OneNode("Relu", {2});
  *deep.mutable_graph()->add_node() = inner.node(0);
  cases.push_back({"graphs_nest_deeply", deep, {"error"}});
}

void Write(const std::filesystem::path& folder, const Case& bad) {
  std::ofstream model(folder / (bad.name + ".onnx"), std::ios::binary);
  bad.model.SerializeToOstream(&model);
  std::ofstream expect(folder / (bad.name + ".expect"));
  for (const std::string& text : bad.expect) expect << text << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: bad_models FOLDER\n";
    return 2;
  }
  std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "short.bin") << "12345678";
  std::vector<Case> cases;
  AddStructure(cases);
  AddTypes(cases);
  AddSizes(cases);
  AddExternal(cases);
  AddBodies(cases);
  AddLoops(cases);
  AddSequences(cases);
  AddNesting(cases);
  for (const Case& bad : cases) Write(folder, bad);
}
